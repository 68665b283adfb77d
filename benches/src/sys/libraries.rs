//! Message libraries in C that are loaded where the host has them: 0MQ and nng.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    io,
    ptr::NonNull,
    sync::OnceLock,
};

use libloading::Library;

const ZMQ_REQ: c_int = 3;
const ZMQ_REP: c_int = 4;

/// Who asks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Connects, and asks.
    Asks,
    /// Listens, and answers.
    Answers,
}

/// The functions of `libzmq.so.5`.
struct ZmqFunctions {
    ctx_new: unsafe extern "C" fn() -> *mut c_void,
    socket: unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void,
    bind: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    connect: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    send: unsafe extern "C" fn(*mut c_void, *const c_void, usize, c_int) -> c_int,
    recv: unsafe extern "C" fn(*mut c_void, *mut c_void, usize, c_int) -> c_int,
    close: unsafe extern "C" fn(*mut c_void) -> c_int,
    ctx_term: unsafe extern "C" fn(*mut c_void) -> c_int,
    errno: unsafe extern "C" fn() -> c_int,
}

/// The functions of `libnng.so.1`.
struct NngFunctions {
    req_open: unsafe extern "C" fn(*mut NngSocket) -> c_int,
    rep_open: unsafe extern "C" fn(*mut NngSocket) -> c_int,
    listen: unsafe extern "C" fn(NngSocket, *const c_char, *mut c_void, c_int) -> c_int,
    dial: unsafe extern "C" fn(NngSocket, *const c_char, *mut c_void, c_int) -> c_int,
    set_size: unsafe extern "C" fn(NngSocket, *const c_char, usize) -> c_int,
    send: unsafe extern "C" fn(NngSocket, *mut c_void, usize, c_int) -> c_int,
    recv: unsafe extern "C" fn(NngSocket, *mut c_void, *mut usize, c_int) -> c_int,
    close: unsafe extern "C" fn(NngSocket) -> c_int,
}

/// `nng_socket` of nng 1: a structure of one number, passed by value.
#[derive(Clone, Copy)]
#[repr(C)]
struct NngSocket {
    id: u32,
}

/// One symbol of a library that stays loaded.
///
/// # Safety
/// `T` must be the type of the function of that name in the library's header.
unsafe fn symbol<T: Copy>(library: &'static Library, name: &str) -> Result<T, String> {
    // SAFETY: the caller gives the type of the function; the library is never unloaded, so a copy
    // of its address stays good.
    let found = unsafe { library.get::<T>(name) };
    found
        .map(|symbol| *symbol)
        .map_err(|error| error.to_string())
}

fn load(name: &str) -> Result<&'static Library, String> {
    // SAFETY: the initialisers of these two libraries of the distribution only set up their own
    // state (they have no constructors that need anything of this program).
    let library = unsafe { Library::new(name) }.map_err(|error| error.to_string())?;
    Ok(Box::leak(Box::new(library)))
}

fn zmq() -> Result<&'static ZmqFunctions, String> {
    static LOADED: OnceLock<Result<ZmqFunctions, String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let library = load("libzmq.so.5")?;
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the field that it is for has the type of zmq.h 4.
                unsafe { symbol(library, $name) }?
            };
        }
        Ok(ZmqFunctions {
            ctx_new: function!("zmq_ctx_new"),
            socket: function!("zmq_socket"),
            bind: function!("zmq_bind"),
            connect: function!("zmq_connect"),
            send: function!("zmq_send"),
            recv: function!("zmq_recv"),
            close: function!("zmq_close"),
            ctx_term: function!("zmq_ctx_term"),
            errno: function!("zmq_errno"),
        })
    });
    loaded.as_ref().map_err(Clone::clone)
}

fn nng() -> Result<&'static NngFunctions, String> {
    static LOADED: OnceLock<Result<NngFunctions, String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let library = load("libnng.so.1")?;
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the field that it is for has the type of nng.h 1.
                unsafe { symbol(library, $name) }?
            };
        }
        Ok(NngFunctions {
            req_open: function!("nng_req0_open"),
            rep_open: function!("nng_rep0_open"),
            listen: function!("nng_listen"),
            dial: function!("nng_dial"),
            set_size: function!("nng_socket_set_size"),
            send: function!("nng_send"),
            recv: function!("nng_recv"),
            close: function!("nng_close"),
        })
    });
    loaded.as_ref().map_err(Clone::clone)
}

/// A `REQ` or `REP` socket of 0MQ.
#[derive(Debug)]
pub struct ZmqSocket {
    context: NonNull<c_void>,
    socket: NonNull<c_void>,
}

// SAFETY: a 0MQ socket may migrate to another thread with a full fence (zmq_socket(3)), which
// moving a value to a thread is; it is not `Sync`.
unsafe impl Send for ZmqSocket {}

impl ZmqSocket {
    /// Why there is no such library here.
    pub fn probe() -> Result<(), String> {
        zmq().map(drop)
    }

    /// A socket at an address such as `ipc:///tmp/place`.
    pub fn open(part: Part, address: &str) -> io::Result<ZmqSocket> {
        let (zmq, address) = (zmq().map_err(io::Error::other)?, CString::new(address)?);
        // SAFETY: zmq_ctx_new takes nothing.
        let context = unsafe { (zmq.ctx_new)() };
        let context = NonNull::new(context).ok_or_else(|| zmq_error(zmq))?;
        let kind = match part {
            Part::Asks => ZMQ_REQ,
            Part::Answers => ZMQ_REP,
        };
        // SAFETY: the context has just been made.
        let socket = unsafe { (zmq.socket)(context.as_ptr(), kind) };
        let socket = NonNull::new(socket).ok_or_else(|| zmq_error(zmq))?;
        let open = ZmqSocket { context, socket };
        let placed = match part {
            Part::Asks => zmq.connect,
            Part::Answers => zmq.bind,
        };
        // SAFETY: the socket is open, and the address NUL-terminated.
        match unsafe { placed(socket.as_ptr(), address.as_ptr()) } {
            0 => Ok(open),
            _ => Err(zmq_error(zmq)),
        }
    }

    /// Sends one message.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        let zmq = zmq().map_err(io::Error::other)?;
        let (bytes, length) = (message.as_ptr().cast(), message.len());
        // SAFETY: the socket is open; the bytes are valid for the call, which copies them.
        let sent = unsafe { (zmq.send)(self.socket.as_ptr(), bytes, length, 0) };
        match usize::try_from(sent) {
            Ok(sent) if sent == message.len() => Ok(()),
            _ => Err(zmq_error(zmq)),
        }
    }

    /// Receives one message that fills `into`.
    pub fn recv(&self, into: &mut [u8]) -> io::Result<()> {
        let zmq = zmq().map_err(io::Error::other)?;
        let (bytes, length) = (into.as_mut_ptr().cast(), into.len());
        // SAFETY: the socket is open; at most `length` bytes are written there (zmq_recv(3)).
        let got = unsafe { (zmq.recv)(self.socket.as_ptr(), bytes, length, 0) };
        match usize::try_from(got) {
            Ok(got) if got == into.len() => Ok(()),
            Ok(_) => Err(io::ErrorKind::InvalidData.into()),
            Err(_) => Err(zmq_error(zmq)),
        }
    }
}

impl Drop for ZmqSocket {
    fn drop(&mut self) {
        let Ok(zmq) = zmq() else { return };
        // SAFETY: the socket is open, and nobody uses it after this.
        unsafe { (zmq.close)(self.socket.as_ptr()) };
        // SAFETY: its only socket is closed; nobody uses the context after this.
        unsafe { (zmq.ctx_term)(self.context.as_ptr()) };
    }
}

fn zmq_error(zmq: &ZmqFunctions) -> io::Error {
    // SAFETY: zmq_errno takes nothing.
    io::Error::from_raw_os_error(unsafe { (zmq.errno)() })
}

/// A `req0` or `rep0` socket of nng.
#[derive(Debug)]
pub struct NngEnd {
    id: u32,
}

impl NngEnd {
    /// Why there is no such library here.
    pub fn probe() -> Result<(), String> {
        nng().map(drop)
    }

    /// A socket at an address such as `ipc:///tmp/place`.
    pub fn open(part: Part, address: &str) -> io::Result<NngEnd> {
        let (nng, address) = (nng().map_err(io::Error::other)?, CString::new(address)?);
        let mut socket = NngSocket { id: 0 };
        let (open, place) = match part {
            Part::Asks => (nng.req_open, nng.dial),
            Part::Answers => (nng.rep_open, nng.listen),
        };
        // SAFETY: `socket` is valid to be written.
        nng_check(unsafe { open(&mut socket) })?;
        let end = NngEnd { id: socket.id };
        // SAFETY: the socket is open, and the name NUL-terminated.
        nng_check(unsafe { (nng.set_size)(socket, c"recv-size-max".as_ptr(), 0) })?;
        // SAFETY: the socket is open, the address NUL-terminated; no listener or dialer is asked
        // for, which the null pointer says.
        nng_check(unsafe { place(socket, address.as_ptr(), std::ptr::null_mut(), 0) })?;
        Ok(end)
    }

    /// Sends one message.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        let nng = nng().map_err(io::Error::other)?;
        let socket = NngSocket { id: self.id };
        let (bytes, length) = (message.as_ptr().cast_mut().cast(), message.len());
        // SAFETY: without NNG_FLAG_ALLOC the bytes are copied, and not written.
        nng_check(unsafe { (nng.send)(socket, bytes, length, 0) })
    }

    /// Receives one message that fills `into`.
    pub fn recv(&self, into: &mut [u8]) -> io::Result<()> {
        let nng = nng().map_err(io::Error::other)?;
        let socket = NngSocket { id: self.id };
        let mut length = into.len();
        // SAFETY: without NNG_FLAG_ALLOC at most `length` bytes are written there (nng_recv(3)).
        nng_check(unsafe { (nng.recv)(socket, into.as_mut_ptr().cast(), &mut length, 0) })?;
        match length == into.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Drop for NngEnd {
    fn drop(&mut self) {
        let Ok(nng) = nng() else { return };
        // SAFETY: the socket is open, and nobody uses it after this.
        unsafe { (nng.close)(NngSocket { id: self.id }) };
    }
}

/// What nng says: nought, or its number of an error.
fn nng_check(outcome: c_int) -> io::Result<()> {
    match outcome {
        0 => Ok(()),
        number => Err(io::Error::other(format!("nng says {number}"))),
    }
}

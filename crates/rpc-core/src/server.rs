//! A server: services, the layers around them, and the bindings that bring calls.

use crate::call::{Call, CallFuture, Channel, Dispatch, ready};
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::direct::DirectRequest;
use crate::{Code, Status};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tower_layer::Layer;

/// The services of a process, by name. It is a channel, too: a stub over it calls without
/// leaving the process, and without marshalling.
#[derive(Clone, Default)]
pub struct Router {
    services: Arc<HashMap<&'static str, Arc<dyn Dispatch>>>,
}

impl Router {
    /// No services.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one service more; the last of a name counts.
    #[must_use]
    pub fn service(mut self, service: impl Dispatch) -> Self {
        let name = service.descriptor().name();
        let services = Arc::make_mut(&mut self.services);
        services.insert(name, Arc::new(service));
        self
    }

    /// The service of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static ServiceDescriptor> {
        Some(self.services.get(name)?.descriptor())
    }

    /// The service that has this method. Its name is the very one it is listed under, so that it
    /// need not be hashed.
    fn service_of(&self, method: &MethodDescriptor) -> Option<&Arc<dyn Dispatch>> {
        let same = |(name, _): &(&&'static str, _)| std::ptr::eq(**name, method.service);
        match self.services.iter().find(same) {
            Some((_, service)) => Some(service),
            None => self.services.get(method.service),
        }
    }

    /// All services.
    pub fn descriptors(&self) -> impl Iterator<Item = &'static ServiceDescriptor> {
        self.services.values().map(|service| service.descriptor())
    }
}

impl Channel for Router {
    fn call(&self, call: Call) -> CallFuture {
        match self.service_of(call.method) {
            Some(service) => service.dispatch(call),
            None => ready(Err(Status::new(
                Code::Unimplemented,
                format!("no service {} here", call.method.service),
            )
            .before_running())),
        }
    }

    fn serves_directly(&self, method: &MethodDescriptor) -> bool {
        let service = self.service_of(method);
        service.is_some_and(|service| service.dispatches_directly())
    }

    fn serve_directly(&self, request: &mut DirectRequest<'_>) -> Option<Result<(), Status>> {
        self.service_of(request.method)?.dispatch_directly(request)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.services.keys()).finish()
    }
}

/// What a binding serves: services by name, and where their calls go.
#[derive(Clone)]
pub struct Served {
    router: Router,
    stack: Arc<dyn Channel>,
}

impl Served {
    /// The service of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static ServiceDescriptor> {
        self.router.find(name)
    }

    /// All methods of all services.
    pub fn methods(&self) -> impl Iterator<Item = &'static MethodDescriptor> {
        self.router
            .descriptors()
            .flat_map(ServiceDescriptor::methods)
    }
}

impl Channel for Served {
    fn call(&self, call: Call) -> CallFuture {
        self.stack.call(call)
    }

    fn behind(&self, _: &'static MethodDescriptor) -> Option<&dyn Channel> {
        Some(&*self.stack)
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.router.fmt(f)
    }
}

/// One way in: a protocol at an address. A server takes bindings as values and knows none.
pub trait Binding: Send + 'static {
    /// Serves `served` until it fails or is told to end.
    fn serve(
        self: Box<Self>,
        served: Served,
    ) -> Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

    /// Why this binding cannot carry `method`, if it cannot.
    ///
    /// # Errors
    /// [`Code::Unimplemented`], naming the method.
    fn carries(&self, method: &MethodDescriptor) -> Result<(), Status>;
}

/// A server in the making: services, then layers (the last is the outermost), then bindings.
///
/// ```
/// use rpc_core::{Router, Server};
/// let server = Server::new(Router::new());
/// # let _ = server.served();
/// ```
pub struct Server<S = Router> {
    router: Router,
    stack: S,
    bindings: Vec<Box<dyn Binding>>,
}

impl Server {
    /// Serves what `router` has.
    #[must_use]
    pub fn new(router: Router) -> Self {
        Self {
            stack: router.clone(),
            router,
            bindings: Vec::new(),
        }
    }
}

impl<S: Channel> Server<S> {
    /// With a layer around all calls of all bindings.
    pub fn layer<L: Layer<S>>(self, layer: L) -> Server<L::Service>
    where
        L::Service: Channel,
    {
        Server {
            router: self.router,
            stack: layer.layer(self.stack),
            bindings: self.bindings,
        }
    }

    /// With one way in more.
    ///
    /// # Errors
    /// [`Code::Unimplemented`] for a contract that the binding cannot carry, naming the method.
    pub fn with(mut self, binding: impl Binding) -> Result<Self, Status> {
        for service in self.router.descriptors() {
            service
                .methods()
                .iter()
                .try_for_each(|method| binding.carries(method))?;
        }
        self.bindings.push(Box::new(binding));
        Ok(self)
    }

    /// What a binding serves, for one that is driven by hand.
    pub fn served(self) -> Served {
        Served {
            router: self.router,
            stack: Arc::new(self.stack),
        }
    }

    /// Serves all bindings until the first ends.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn run(mut self) -> Result<(), Status> {
        let bindings = std::mem::take(&mut self.bindings);
        let served = self.served();
        let mut serving: Vec<_> = bindings
            .into_iter()
            .map(|binding| binding.serve(served.clone()))
            .collect();
        std::future::poll_fn(|task| {
            for binding in &mut serving {
                let outcome = binding.as_mut().poll(task);
                if outcome.is_ready() {
                    return outcome;
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("router", &self.router)
            .field("bindings", &self.bindings.len())
            .finish_non_exhaustive()
    }
}

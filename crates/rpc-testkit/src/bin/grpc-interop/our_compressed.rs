//! The cases of the client of this toolkit that compress.

use crate::arguments::Arguments;
use crate::observed::Observed;
use crate::our_cases::{WANTED, connect, unary};
use crate::our_streams::take;
use crate::outcome::{Outcome, Verdict, failed, same};
use rpc_core::{Code, Context, Status, items};
use rpc_grpc::{Connection, Encoding};
use rpc_testkit::interop::{
    BoolValue, ResponseParameters, StreamingInputCallRequest, TestServiceClient, zeros,
};

const HIDDEN: &str =
    "compressed and plain messages are understood; this server does not see which came compressed";

/// A client whose messages are compressed where that is said.
fn client(connection: &Connection, may: &[bool]) -> TestServiceClient<Observed<Connection>> {
    TestServiceClient::new(Observed::new(connection.clone(), may))
}

fn probed<T: std::fmt::Debug>(ended: Result<T, Status>) -> Result<(), String> {
    let code = ended.map(drop).map_err(|status| status.code());
    same("the probe", code, Err(Code::InvalidArgument))
}

fn whole_or_part(arguments: &Arguments) -> Outcome {
    match arguments.hidden {
        true => Outcome::Part(HIDDEN),
        false => Outcome::Whole,
    }
}

pub(crate) async fn client_unary(arguments: &Arguments) -> Verdict {
    let connection = connect(arguments, Encoding::Gzip).await?;
    if !arguments.hidden {
        let probe = client(&connection, &[false]);
        probed(unary(&probe, None, [None, Some(true)]).await)?;
    }
    for compress in [true, false] {
        let client = client(&connection, &[compress]);
        let bytes = unary(&client, None, [None, Some(compress)]).await;
        let bytes = bytes.map_err(failed("the call"))?;
        same("bytes of the answer", bytes, WANTED as usize)?;
    }
    Ok(whole_or_part(arguments))
}

pub(crate) async fn client_streaming(arguments: &Arguments) -> Verdict {
    let connection = connect(arguments, Encoding::Gzip).await?;
    let piece = |size, value| StreamingInputCallRequest {
        payload: zeros(size).unwrap_or_default(),
        expect_compressed: Some(BoolValue { value }),
    };
    let cx = Context::new();
    if !arguments.hidden {
        let probe = client(&connection, &[false]);
        let ended = probe.streaming_input_call(&cx, items([piece(27_182, true)]));
        probed(ended.await)?;
    }
    let client = client(&connection, &[true, false]);
    let pieces = [piece(27_182, true), piece(45_904, false)];
    let counted = client.streaming_input_call(&cx, items(pieces)).await;
    let counted = counted.map_err(failed("the call"))?;
    same("bytes", counted.aggregated_payload_size, 73_086)?;
    Ok(whole_or_part(arguments))
}

pub(crate) async fn server_unary(arguments: &Arguments) -> Result<(), String> {
    let connection = connect(arguments, Encoding::Identity).await?;
    for compressed in [true, false] {
        let channel = Observed::new(connection.clone(), &[]);
        let client = TestServiceClient::new(channel.clone());
        let bytes = unary(&client, None, [Some(compressed), None]).await;
        let bytes = bytes.map_err(failed("the call"))?;
        same("bytes of the answer", bytes, WANTED as usize)?;
        let seen = channel.seen().compressed.clone();
        same("compressed", seen, [compressed])?;
    }
    Ok(())
}

pub(crate) async fn server_streaming(arguments: &Arguments) -> Result<(), String> {
    let connection = connect(arguments, Encoding::Identity).await?;
    let channel = Observed::new(connection, &[]);
    let client = TestServiceClient::new(channel.clone());
    let wants = [(31_415, true), (92_653, false)].map(|(size, value)| ResponseParameters {
        size,
        interval_us: 0,
        compressed: Some(BoolValue { value }),
    });
    let cx = Context::new();
    let answers = client.streaming_output_call(&cx, 0, wants.to_vec()).await;
    let mut answers = answers.map_err(failed("the call"))?;
    take(&mut answers, &[31_415, 92_653]).await?;
    let seen = channel.seen().compressed.clone();
    same("compressed", seen, [true, false])
}

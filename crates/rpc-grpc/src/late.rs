//! Answers to a stream that is not over: their caller must not wait for the head of the response,
//! which many servers send with the first answer, and so perhaps after the next question.

use crate::outgoing::Link;
use futures_core::Stream;
use rpc_core::{Body, CallFuture, Later, Metadata, Payload, PayloadStream, Reply, Status};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};

/// The reply, or, where all questions that there are have been sent before it is here, one whose
/// stream waits for it.
pub(crate) async fn reply<F>(work: F, link: &Link) -> Result<Reply, Status>
where
    F: Future<Output = Result<Reply, Status>> + Send + 'static,
{
    let mut work: CallFuture = Box::pin(work);
    let first = poll_fn(|task| match work.as_mut().poll(task) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => link.poll_idle(task).map(|()| None),
    });
    if let Some(outcome) = first.await {
        return outcome;
    }
    let mut metadata = Metadata::new();
    let later = Some(metadata.later());
    let answers = Answers {
        later,
        stage: Stage::Head(work),
    };
    let body = Body::Many(Box::pin(answers));
    Ok(Reply { metadata, body })
}

/// The answers, whose head is still to come at first.
struct Answers {
    later: Option<Later>,
    stage: Stage,
}

enum Stage {
    Head(CallFuture),
    Items(Metadata, PayloadStream),
    End,
}

impl Stream for Answers {
    type Item = Result<Payload, Status>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match &mut self.stage {
                Stage::Head(work) => {
                    let reply = ready!(work.as_mut().poll(task));
                    let items = reply.and_then(|reply| Ok((reply.metadata, reply.body.many()?)));
                    match items {
                        Ok((metadata, items)) => self.stage = Stage::Items(metadata, items),
                        Err(status) => {
                            self.stage = Stage::End;
                            return Poll::Ready(Some(Err(status)));
                        }
                    }
                }
                Stage::Items(metadata, items) => {
                    let item = ready!(items.as_mut().poll_next(task));
                    if item.is_none() {
                        let all = together(metadata);
                        self.stage = Stage::End;
                        match (all, self.later.take()) {
                            (Ok(all), Some(later)) => later.set(all),
                            (Err(status), _) => return Poll::Ready(Some(Err(status))),
                            (Ok(_), None) => {}
                        }
                    }
                    return Poll::Ready(item);
                }
                Stage::End => return Poll::Ready(None),
            }
        }
    }
}

/// What came before the answers and after them.
fn together(metadata: &Metadata) -> Result<Metadata, Status> {
    let mut all = Metadata::new();
    for (name, value) in metadata.iter() {
        all.insert(name, value)?;
    }
    for (name, value) in metadata.after().into_iter().flat_map(Metadata::iter) {
        all.insert_trailing(name, value)?;
    }
    Ok(all)
}

//! The body of an answer, which knows until when it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

use super::activity::UnderWay;

/// A body together with its request, which is over when the body is dropped.
pub(super) struct Answer {
    body: Body,
    _request: UnderWay,
}

impl Answer {
    pub(super) fn new(body: Body, request: UnderWay) -> Self {
        Self { body, _request: request }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! A connection that can be told to spoil the body of its next answer: to break in the middle of
//! it, or to let it trickle. The answer's head passes as it is.

use super::faults::Trickle;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// What is to happen to the next body on one connection. HTTP/1.1 answers one request at a time,
/// so the body is the one of the request that is being answered.
#[derive(Clone, Default)]
pub(super) struct Plan(Arc<Mutex<Option<Spoilt>>>);

struct Spoilt {
    /// How many bytes of the blank line that ends the head have passed.
    blank: usize,
    /// Bytes of the body still to come.
    left: u64,
    /// Bytes that may pass before the connection breaks.
    until_cut: Option<u64>,
    trickle: Option<Trickle>,
    /// Bytes that may pass before the next pause.
    until_pause: usize,
}

/// What may happen to a write now.
enum Step {
    /// This many bytes may pass.
    Pass(usize),
    Pause(std::time::Duration),
    Break,
}

impl Plan {
    /// Spoils the next body, which has `length` bytes.
    pub(super) fn spoil(&self, length: u64, cut: Option<u64>, trickle: Option<Trickle>) {
        *self.lock() = Some(Spoilt {
            blank: 0,
            left: length,
            until_cut: cut,
            trickle,
            until_pause: trickle.map_or(0, |trickle| trickle.bytes.max(1)),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Spoilt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_idle(&self) -> bool {
        self.lock().is_none()
    }

    fn step(&self, bytes: &[u8]) -> Step {
        match self.lock().as_mut() {
            Some(spoilt) => spoilt.step(bytes),
            None => Step::Pass(bytes.len()),
        }
    }

    /// `bytes` have passed.
    fn passed(&self, bytes: &[u8]) {
        let mut plan = self.lock();
        if plan.as_mut().is_some_and(|spoilt| spoilt.passed(bytes)) {
            *plan = None;
        }
    }

    fn rested(&self) {
        if let Some(spoilt) = self.lock().as_mut() {
            spoilt.until_pause = spoilt.trickle.map_or(0, |trickle| trickle.bytes.max(1));
        }
    }
}

const BLANK: &[u8] = b"\r\n\r\n";

impl Spoilt {
    fn step(&self, bytes: &[u8]) -> Step {
        if self.blank < BLANK.len() {
            return Step::Pass(self.head_in(bytes).0);
        }
        if self.until_cut == Some(0) {
            return Step::Break;
        }
        let mut pass = bytes.len();
        if let Some(left) = self.until_cut {
            pass = pass.min(usize::try_from(left).unwrap_or(pass));
        }
        match self.trickle {
            Some(trickle) if self.until_pause == 0 => Step::Pause(trickle.every),
            Some(_) => Step::Pass(pass.min(self.until_pause)),
            None => Step::Pass(pass),
        }
    }

    /// How many of `bytes` belong to the head, and how much of its end has been seen then.
    fn head_in(&self, bytes: &[u8]) -> (usize, usize) {
        let mut blank = self.blank;
        for (at, byte) in bytes.iter().enumerate() {
            blank = match BLANK.get(blank) {
                Some(expected) if expected == byte => blank + 1,
                _ => usize::from(*byte == b'\r'),
            };
            if blank == BLANK.len() {
                return (at + 1, blank);
            }
        }
        (bytes.len(), blank)
    }

    /// Counts what has passed; true once the body is complete.
    fn passed(&mut self, bytes: &[u8]) -> bool {
        if self.blank < BLANK.len() {
            self.blank = self.head_in(bytes).1;
            return false;
        }
        let count = bytes.len() as u64;
        self.left = self.left.saturating_sub(count);
        self.until_cut = self.until_cut.map(|left| left.saturating_sub(count));
        self.until_pause = self.until_pause.saturating_sub(bytes.len());
        self.left == 0
    }
}

/// A connection with a [`Plan`].
pub(super) struct Wire {
    stream: TcpStream,
    plan: Plan,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, plan: Plan) -> Self {
        Self {
            stream,
            plan,
            pause: None,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(pause) = self.pause.as_mut() {
                std::task::ready!(pause.as_mut().poll(cx));
                self.pause = None;
                self.plan.rested();
            }
            match self.plan.step(bytes) {
                Step::Pause(every) => self.pause = Some(Box::pin(sleep(every))),
                Step::Break => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Step::Pass(count) => {
                    let bytes = bytes.get(..count).unwrap_or(bytes);
                    let written =
                        std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
                    self.plan.passed(bytes.get(..written).unwrap_or(bytes));
                    return Poll::Ready(Ok(written));
                }
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.plan.is_idle() {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |buf| buf))
    }

    /// So that bodies are not copied into one buffer with the head.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `chunks`, as far as the plan lets them pass; answers with what passed before the
    /// connection broke, or all of it.
    fn written(plan: &Plan, chunks: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for mut chunk in chunks.iter().copied() {
            while !chunk.is_empty() {
                let Step::Pass(count) = plan.step(chunk) else {
                    return out;
                };
                let (now, later) = chunk.split_at(count);
                plan.passed(now);
                out.extend_from_slice(now);
                chunk = later;
            }
        }
        out
    }

    #[test]
    fn only_the_body_is_cut_however_the_answer_is_written() {
        let cases: [&[&[u8]]; 3] = [
            &[b"A: b\r\n\r\n12345"],
            &[b"A: b\r\n\r", b"\n1", b"2345"],
            &[b"A: b\r", b"\n", b"\r\n", b"12345"],
        ];
        for chunks in cases {
            let plan = Plan::default();
            plan.spoil(5, Some(3), None);
            assert_eq!(written(&plan, chunks), b"A: b\r\n\r\n123", "{chunks:?}");
        }
    }

    #[test]
    fn the_plan_ends_with_the_body() {
        let plan = Plan::default();
        let trickle = Trickle {
            bytes: 9,
            every: std::time::Duration::ZERO,
        };
        plan.spoil(2, None, Some(trickle));
        assert_eq!(written(&plan, &[b"\r\n\r\n12"]), b"\r\n\r\n12");
        assert!(plan.is_idle());
    }
}

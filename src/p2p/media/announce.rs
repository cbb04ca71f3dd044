//! What members say of their streams, and how much of them goes to each viewer.

use converge_signal::PeerId;
use serde::{Deserialize, Serialize};

use super::{MAX_METADATA_BYTES, MAX_STREAMS, Stream, StreamId, StreamKind};
use crate::codec::{Json, Payload};

/// What one sender's videos may take together, in bits a second: what a home connection of today sends with ease.
const UPLOAD_BITS: u32 = 3_000_000;

/// The browser's name of a stream; browsers use UUIDs, with or without braces.
const MAX_MSID_BYTES: usize = 64;

/// What is announced of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    pub(crate) id: StreamId,
    pub(crate) kind: StreamKind,
    /// The browser's name of it.
    pub(crate) msid: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) metadata: String,
    #[serde(default)]
    pub(crate) video: bool,
    #[serde(default)]
    pub(crate) audio: bool,
    #[serde(default)]
    pub(crate) paused: bool,
    /// Only approved members get it.
    #[serde(default)]
    pub(crate) limited: bool,
}

impl Announced {
    pub(crate) fn stream(&self, owner: PeerId, live: bool) -> Stream {
        let Self { id, kind, metadata, video, audio, paused, limited, .. } = self.clone();
        Stream { owner, id, kind, metadata, video, audio, paused, live, limited, silent: false }
    }

    fn is_within_limits(&self) -> bool {
        self.metadata.len() <= MAX_METADATA_BYTES && self.msid.len() <= MAX_MSID_BYTES
    }
}

/// The streams that a member's presence announces, as far as they make sense: it may say anything.
pub(crate) fn announced(payload: Option<&Payload>) -> Vec<Announced> {
    let all = payload.and_then(|payload| payload.decode::<Vec<Announced>, Json>().ok()).unwrap_or_default();
    let mut kept: Vec<Announced> = Vec::new();
    for stream in all {
        if kept.len() < MAX_STREAMS && stream.is_within_limits() && kept.iter().all(|other| other.id != stream.id) {
            kept.push(stream);
        }
    }
    kept
}

/// How many bits a second each of a sender's videos gets, with so many viewers: all videos to all viewers share what the
/// sender's line is taken to carry.
pub(crate) fn video_bits(kind: StreamKind, videos: usize, viewers: usize) -> u32 {
    let copies = u32::try_from(videos.max(1) * viewers.max(1)).unwrap_or(u32::MAX);
    // Under this a picture can't be made out.
    const LEAST_BITS: u32 = 100_000;
    // Over this it doesn't get better for the eye.
    let most = if kind == StreamKind::Screen { 2_000_000 } else { 1_200_000 };
    (UPLOAD_BITS / copies).clamp(LEAST_BITS, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(id: u32) -> Announced {
        Announced {
            id: StreamId(id),
            kind: StreamKind::Camera,
            msid: "a".into(),
            metadata: String::new(),
            video: true,
            audio: false,
            paused: false,
            limited: false,
        }
    }

    fn read(streams: &[Announced]) -> Vec<u32> {
        let payload = Payload::json(streams).ok();
        announced(payload.as_ref()).iter().map(|stream| stream.id.0).collect()
    }

    #[test]
    fn what_is_announced_is_taken_as_far_as_it_makes_sense() {
        assert_eq!(read(&[stream(1), stream(2)]), [1, 2]);
        assert_eq!(read(&[stream(1), stream(1)]), [1], "no stream twice");
        assert_eq!(read(&(0..100).map(stream).collect::<Vec<_>>()).len(), MAX_STREAMS);
        let long = Announced { metadata: "x".repeat(MAX_METADATA_BYTES + 1), ..stream(1) };
        assert_eq!(read(&[long, stream(2)]), [2]);
        let long = Announced { msid: "x".repeat(MAX_MSID_BYTES + 1), ..stream(1) };
        assert_eq!(read(&[long, stream(2)]), [2]);
        assert_eq!(announced(None), []);
        let owner = PeerId::from_bytes([1; 32]);
        let shown = stream(7).stream(owner, true);
        assert_eq!((shown.owner, shown.id, shown.video, shown.live), (owner, StreamId(7), true, true));
        assert_eq!(announced(Payload::json("camera").ok().as_ref()), []);
    }

    #[test]
    fn more_viewers_get_less_each_and_always_enough_to_see_something() {
        assert_eq!(video_bits(StreamKind::Camera, 1, 1), 1_200_000);
        assert_eq!(video_bits(StreamKind::Screen, 1, 1), 2_000_000);
        assert_eq!(video_bits(StreamKind::Camera, 1, 6), 500_000);
        assert_eq!(video_bits(StreamKind::Camera, 2, 6), 250_000);
        assert_eq!(video_bits(StreamKind::Camera, 4, 8), 100_000);
        assert_eq!(video_bits(StreamKind::Camera, 0, 0), 1_200_000);
    }
}

//! What goes into a room, and what comes out.

use std::sync::Arc;

use converge_signal::TopicHash;
use converge_signal::protocol::IceServer;

use crate::event::{Activity, Event};
use crate::identity::Identity;
use crate::lane::{Delivery, Lane};
use crate::link::{Candidate, LinkId, Role, Sdp};
use crate::options::Token;
use crate::timer::Timings;
use crate::transfer::{Transfer, TransferId};

/// What a room is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// The blinded topic.
    pub topic: TopicHash,
    /// Who joins.
    pub identity: Identity,
    /// The page's origin, as the server will see it in the `Origin` header; empty outside browsers.
    pub origin: String,
    /// Seeds waits and attempt numbers. Nothing secret comes of it.
    pub seed: u64,
    /// How long to wait for things.
    pub timings: Timings,
    /// The application's lanes, beside the three that every room has.
    pub lanes: Vec<Delivery>,
    /// What to show the server to be let in.
    pub token: Option<Token>,
}

/// What the driver tells the core.
#[derive(Debug)]
pub enum Input {
    /// The socket that [`Output::OpenSocket`] asked for is open.
    SocketOpen,
    /// A text frame came on it.
    SocketFrame(String),
    /// It is closed, or could not be opened.
    SocketClosed,
    /// The browser's network went away or came back.
    Online(bool),
    /// The browser changed from one network to another: links may need new paths.
    NetworkChanged,
    /// The page was woken or shown: what was believed of the network may be out of date.
    Awake,
    /// What the person at this page does now.
    Activity(Activity),
    /// Something happened to a link.
    Link {
        /// Which.
        link: LinkId,
        /// What.
        event: LinkEvent,
    },
    /// Something happened to the file of a transfer.
    File {
        /// Which transfer.
        transfer: TransferId,
        /// What.
        event: FileEvent,
    },
    /// There is time to handle some of the received frames ([`RoomCore::has_work`]).
    Work,
    /// The time [`RoomCore::next_wakeup`] named has come.
    Timeout,
}

/// What can happen to a link.
#[derive(Debug)]
pub enum LinkEvent {
    /// This side's offer or answer is made and set.
    LocalDescription(Sdp),
    /// This side found a candidate.
    LocalCandidate(Candidate),
    /// The description of [`Output::SetRemote`] is set: candidates may follow.
    RemoteSet,
    /// The connection wants another offer and answer: tracks came or went.
    NegotiationNeeded,
    /// Every lane's data channel is open.
    Open {
        /// The largest message the other side takes (`RTCSctpTransport.maxMessageSize`), in bytes.
        max_message: usize,
    },
    /// A frame arrived. It waits until [`Input::Work`] handles it.
    Frame {
        /// On which lane.
        lane: Lane,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// The lane's send buffer is at or under its low-water mark, as [`Output::AwaitWritable`] asked to be told.
    Writable {
        /// Which lane's.
        lane: Lane,
    },
    /// ICE reports `disconnected`: perhaps for a moment, perhaps for ever.
    Trouble,
    /// ICE reports `connected` again.
    Recovered,
    /// ICE has given up (`failed`): only a restart can mend it.
    Failed,
    /// The browser refused a description: this side's own, or the peer's. Nothing follows.
    Refused,
    /// The connection or a data channel is closed. Nothing follows.
    Closed,
}

/// What can happen to the file of a transfer.
#[derive(Debug)]
pub enum FileEvent {
    /// What [`Output::ReadFile`] asked for.
    Read(Vec<u8>),
    /// What the last [`Output::WriteFile`] brought is stored.
    Written,
    /// The file is complete and can be saved ([`Output::FinishFile`]).
    Finished,
    /// Reading or storing failed, in words.
    Failed(String),
}

/// What the core wants done.
#[derive(Debug)]
pub enum Output {
    /// Open the signalling socket.
    OpenSocket,
    /// Send a text frame on it.
    SendSocket(String),
    /// Close it; nothing of it may be passed in any more. `goodbye`: for good, else to come back.
    CloseSocket {
        /// Whether the server may forget this peer.
        goodbye: bool,
    },
    /// Make a connection with all lanes, and the offer if this side is the offerer.
    OpenLink {
        /// Its name from now on.
        link: LinkId,
        /// Which side this is.
        role: Role,
        /// For `RTCConfiguration`.
        ice_servers: Arc<[IceServer]>,
    },
    /// Make another offer on a connection; it follows as a [`LinkEvent::LocalDescription`].
    Offer {
        /// Of which link.
        link: LinkId,
        /// Restart ICE, for which these servers replace the old ones.
        restart: Option<Arc<[IceServer]>>,
    },
    /// Set the remote description: an offer (then answer it; an own offer that is outstanding is rolled back) or an
    /// answer.
    SetRemote {
        /// Of which link.
        link: LinkId,
        /// The description.
        sdp: Sdp,
    },
    /// Add a remote candidate.
    AddCandidate {
        /// To which link.
        link: LinkId,
        /// The candidate.
        candidate: Candidate,
    },
    /// Send a frame on a data channel.
    SendFrame {
        /// Of which link.
        link: LinkId,
        /// On which lane.
        lane: Lane,
        /// The frame.
        frame: Arc<[u8]>,
    },
    /// Say [`LinkEvent::Writable`] as soon as the lane's send buffer is at or under its low-water mark: at once, if it is.
    AwaitWritable {
        /// Of which link.
        link: LinkId,
        /// Which lane.
        lane: Lane,
    },
    /// Close a connection, once what was sent on it has gone out. Nothing of it may be passed in any more.
    CloseLink {
        /// Which.
        link: LinkId,
    },
    /// Read a piece of the file that this transfer sends; [`FileEvent::Read`] or [`FileEvent::Failed`] follows. One at a time.
    ReadFile {
        /// Which transfer.
        transfer: TransferId,
        /// Where the piece begins.
        offset: u64,
        /// How many bytes it has. The file is at least that long.
        bytes: usize,
    },
    /// Make a place for the file that this transfer receives. Nothing follows but what [`Output::WriteFile`] and
    /// [`Output::FinishFile`] ask for.
    CreateFile {
        /// The transfer, with the file's name, type and size.
        transfer: Transfer,
    },
    /// Append to that file; [`FileEvent::Written`] or [`FileEvent::Failed`] follows. One at a time.
    WriteFile {
        /// Which transfer.
        transfer: TransferId,
        /// What to append.
        bytes: Vec<u8>,
    },
    /// That file is whole: keep it to be saved; [`FileEvent::Finished`] or [`FileEvent::Failed`] follows.
    FinishFile {
        /// Which transfer.
        transfer: TransferId,
    },
    /// Let go of a transfer's file: what was read from, or what was received so far. Nothing of it may be passed in any
    /// more.
    DropFile {
        /// Which transfer.
        transfer: TransferId,
    },
    /// Tell the application.
    Event(Event),
}

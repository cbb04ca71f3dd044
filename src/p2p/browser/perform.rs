//! Doing what the core asks.

use wasm_bindgen_futures::spawn_local;
use web_sys::MediaStream;

use super::link::Link;
use super::prepared::Prepared;
use super::socket::Socket;
use super::{Inner, dispatch, pass};
use crate::link::LinkId;
use crate::room::{FileEvent, Input, LinkEvent, Output, RoomCore};
use crate::transfer::TransferId;

impl Inner {
    pub(super) fn open_socket(&mut self) {
        let weak = self.this.clone();
        let on_input = move |input| {
            let Some(driver) = weak.upgrade() else { return };
            let mut inner = driver.borrow_mut();
            match (&inner.core, &input) {
                (None, Input::SocketClosed) => {
                    // The core will ask for another.
                    inner.early.clear();
                    inner.socket = None;
                }
                (None, _) => inner.early.push(input),
                (Some(_), _) => {
                    if matches!(input, Input::SocketClosed) {
                        inner.socket = None;
                    }
                    drop(inner);
                    pass(&driver, input);
                }
            }
        };
        self.socket = None;
        match Socket::open(&self.url, on_input) {
            Ok(socket) => self.socket = Some(socket),
            // Refused by the browser: mixed content, or an address it can't read. Trying again does no harm.
            Err(_) => self.inbox.push_back(Input::SocketClosed),
        }
    }

    /// Has a connection ready where one is about to be needed, and lets go of it where none is.
    pub(super) fn prepare(&mut self) {
        let expected = self.core.as_ref().is_some_and(RoomCore::expects_link);
        if !expected {
            self.prepared = None;
        } else if self.prepared.is_none() {
            self.prepared = Prepared::new(&self.lanes).ok();
        }
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.core.as_mut().and_then(RoomCore::poll) {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::OpenSocket if self.socket.is_some() => {}
            Output::OpenSocket => self.open_socket(),
            Output::SendSocket(text) => {
                // A socket that takes no more is about to say that it is closed.
                let _ = self.socket.as_ref().is_some_and(|socket| socket.send(&text));
            }
            Output::CloseSocket { goodbye } => {
                if let Some(socket) = self.socket.take() {
                    socket.close(goodbye);
                }
            }
            Output::OpenLink { link, role, ice_servers } => {
                let prepared = self.prepared.take().map_or_else(|| Prepared::new(&self.lanes), Ok);
                let (events, streams) = (self.link_events(link), self.link_streams(link));
                match prepared.and_then(|made| Link::open(made, role, &ice_servers, events, streams)) {
                    Ok(made) => {
                        self.links.insert(link, made);
                    }
                    Err(_) => self.answer(link, LinkEvent::Closed),
                }
            }
            Output::Offer { link, restart } => {
                if let Some(made) = self.links.get(&link) {
                    made.offer(restart.as_deref(), self.link_events(link));
                }
            }
            Output::SetRemote { link, sdp } => {
                if let Some(made) = self.links.get(&link) {
                    made.set_remote(&sdp, self.link_events(link));
                }
            }
            Output::AddCandidate { link, candidate } => {
                if let Some(made) = self.links.get(&link) {
                    made.add_candidate(&candidate);
                }
            }
            Output::SendFrame { link, lane, frame } => {
                if self.links.get(&link).is_some_and(|made| made.send(lane, frame).is_err()) {
                    self.answer(link, LinkEvent::Closed);
                }
            }
            Output::AwaitWritable { link, lane } => {
                if self.links.get(&link).is_some_and(|made| made.await_writable(lane)) {
                    // Not at once: what is sent until this turn of the event loop ends can go together then.
                    let tell = self.link_events(link);
                    spawn_local(async move { tell(LinkEvent::Writable { lane }) });
                }
            }
            Output::CloseLink { link } => {
                if let Some(made) = self.links.remove(&link) {
                    made.close();
                }
            }
            Output::ReadFile { transfer, offset, bytes } => {
                self.files.read(transfer, offset, bytes, self.file_events(transfer));
            }
            Output::CreateFile { transfer } => self.files.create(&transfer),
            Output::WriteFile { transfer, bytes } => {
                self.files.write(transfer, bytes, self.file_events(transfer));
            }
            Output::FinishFile { transfer } => self.files.finish(transfer, self.file_events(transfer)),
            Output::DropFile { transfer } => self.files.forget(transfer),
            Output::Event(event) => {
                self.mark(&event);
                self.events.push_back(event.clone());
                self.media_event(&event);
            }
        }
    }

    /// Tells the core of a link when it has said what it wants.
    fn answer(&mut self, link: LinkId, event: LinkEvent) {
        self.inbox.push_back(Input::Link { link, event });
    }

    fn link_events(&self, link: LinkId) -> impl Fn(LinkEvent) + Clone + 'static {
        self.inputs(move |event| Input::Link { link, event })
    }

    /// The streams that arrive on a link.
    fn link_streams(&self, link: LinkId) -> impl Fn(MediaStream) + 'static {
        let (weak, join) = (self.this.clone(), self.join);
        move |stream| {
            let Some(driver) = weak.upgrade().filter(|driver| driver.borrow().join == join) else { return };
            driver.borrow_mut().arrived(link, stream);
            dispatch(&driver);
        }
    }

    fn file_events(&self, transfer: TransferId) -> impl FnOnce(FileEvent) + 'static {
        self.inputs(move |event| Input::File { transfer, event })
    }

    /// What is said in this join: the next one has links and transfers of the same names.
    fn inputs<E>(&self, input: impl Fn(E) -> Input + Clone + 'static) -> impl Fn(E) + Clone + 'static {
        let (weak, join) = (self.this.clone(), self.join);
        move |event| {
            if let Some(driver) = weak.upgrade()
                && driver.borrow().join == join
            {
                pass(&driver, input(event));
            }
        }
    }
}

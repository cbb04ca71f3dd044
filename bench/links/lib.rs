//! Members of a room on one page: two that talk to each other, or a crowd that somebody else's page looks at. The page holds
//! the clock.

use converge_p2p::{Channel, Client, Codec, Identity, Json, Lane, Messages, Options, Payload, PeerId, PeerState, Raw};
use futures_util::StreamExt;
use futures_util::future::try_join;
use wasm_bindgen::prelude::*;

/// The page's pointers are JSON.
const JSON: u8 = <Json as Codec<()>>::TAG;

type Bytes = Channel<Vec<u8>, Raw>;

/// Two members of one room, linked to each other.
#[wasm_bindgen]
pub struct Pair {
    ada: Member,
    ben: Member,
}

struct Member {
    client: Client,
    id: PeerId,
}

#[wasm_bindgen]
impl Pair {
    /// Joins both at a server, and waits until they are linked.
    pub async fn join(topic: String, server: String) -> Result<Pair, JsError> {
        let member = |number: u8| {
            // In one page the tab's own identity would be the same for both.
            let identity = Identity::from_secret(&[number; 32], 1);
            let id = identity.id();
            let options = Options::new(topic.as_str()).server(server.as_str()).identity(identity);
            Ok::<_, JsError>(Member { client: Client::join(options)?, id })
        };
        let (ada, ben) = (member(1)?, member(2)?);
        try_join(linked(&ada.client, ben.id), linked(&ben.client, ada.id)).await?;
        Ok(Self { ada, ben })
    }

    /// Sends so many messages of so many bytes from one to the other, as fast as there is room for them. Returns how
    /// many bytes arrived, when all have.
    pub async fn stream(&self, bulk: bool, count: u32, bytes: usize) -> Result<f64, JsError> {
        let (ada, ben) = self.channels(if bulk { Lane::BULK } else { Lane::RELIABLE });
        let mut messages = ben.messages();
        let sending = async {
            let message = vec![7; bytes];
            for _ in 0..count {
                ada.ready(self.ben.id).await?;
                ada.send_to(self.ben.id, &message)?;
            }
            Ok::<_, JsError>(())
        };
        let receiving = async {
            let mut received = 0;
            for _ in 0..count {
                received += next(&mut messages).await?.len();
            }
            Ok::<_, JsError>(received as f64)
        };
        let ((), received) = try_join(sending, receiving).await?;
        Ok(received)
    }

    /// Sends a message to and fro so many times.
    pub async fn trips(&self, count: u32, bytes: usize) -> Result<(), JsError> {
        let (ada, ben) = self.channels(Lane::RELIABLE);
        let (mut to_ada, mut to_ben) = (ada.messages(), ben.messages());
        let asking = async {
            let message = vec![7; bytes];
            for _ in 0..count {
                ada.send_to(self.ben.id, &message)?;
                next(&mut to_ada).await?;
            }
            Ok::<_, JsError>(())
        };
        let echoing = async {
            for _ in 0..count {
                let message = next(&mut to_ben).await?;
                ben.send_to(self.ada.id, &message)?;
            }
            Ok::<_, JsError>(())
        };
        try_join(asking, echoing).await?;
        Ok(())
    }

    fn channels(&self, lane: Lane) -> (Bytes, Bytes) {
        let channel = |member: &Member| member.client.channel_with("bench").on(lane);
        (channel(&self.ada), channel(&self.ben))
    }
}

async fn linked(client: &Client, peer: PeerId) -> Result<(), JsError> {
    let mut events = client.events();
    while !client.peers().contains(&(peer, PeerState::Connected)) {
        if events.next().await.is_none() {
            return Err(JsError::new("the room is closed"));
        }
    }
    Ok(())
}

async fn next(messages: &mut Messages<Vec<u8>, Raw>) -> Result<Vec<u8>, JsError> {
    let message = messages.next().await.ok_or_else(|| JsError::new("the room is closed"))?;
    Ok(message?.value)
}

/// Members who move their pointers in a room of converge's own page.
#[wasm_bindgen]
pub struct Crowd {
    members: Vec<Client>,
}

#[wasm_bindgen]
impl Crowd {
    /// Joins so many, and waits until each is linked to the one who was there before.
    pub async fn join(topic: String, server: String, count: u8) -> Result<Crowd, JsError> {
        let mut members = Vec::new();
        for number in 1..=count {
            let identity = Identity::from_secret(&[number; 32], 1);
            let options = Options::new(topic.as_str()).server(server.as_str()).identity(identity);
            members.push(Client::join(options)?);
        }
        for member in &members {
            let mut events = member.events();
            while !member.peers().iter().any(|(_, state)| *state == PeerState::Connected) {
                events.next().await.ok_or_else(|| JsError::new("the room is closed"))?;
            }
        }
        Ok(Self { members })
    }

    /// Moves every pointer a step on its circle.
    pub fn step(&self, step: u32) -> Result<(), JsError> {
        for (number, member) in (0..).zip(&self.members) {
            let angle = f64::from(step) / 30.0 + f64::from(number);
            let place = |part: f64| (32_768.0 + 30_000.0 * part) as u16;
            let value = format!("{{\"x\":{},\"y\":{}}}", place(angle.cos()), place(angle.sin()));
            member.set_presence("cursor", Some(Payload { codec: JSON, bytes: value.into_bytes() }))?;
        }
        Ok(())
    }
}

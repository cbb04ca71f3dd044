//! Announces joins and leaves to a topic's members, at once or in batches.

use std::time::Duration;

use super::rooms::{News, SeatKey};
use super::{ConnId, Hub};
use crate::ids::TopicHash;
use crate::protocol::{Departed, LeftReason, Member, ServerMessage};

/// At most this many members are named in one `joined` or `left`. At some 110 bytes each they fit into clients' frames,
/// as the largest `welcome` does.
const MAX_NAMED: usize = 500;

impl Hub {
    /// Announces news of a topic, at once or batched with later news.
    pub(super) fn tell(&mut self, now: Duration, topic_hash: &TopicHash, audience: &[SeatKey], news: News) {
        let Some(topic) = self.rooms.topics.get_mut(topic_hash) else { return };
        if audience.is_empty() {
            return;
        }
        let (wait, at_once) = match news {
            News::Joined(_) => (self.settings.introduce, self.settings.introduce.is_zero()),
            News::Left(..) | News::Visited(..) => (self.settings.tick, now >= topic.quiet_until),
        };
        if at_once && !topic.someone_waits() {
            topic.quiet_until = now + self.settings.tick;
            let conns: Vec<ConnId> = audience.iter().filter_map(|key| self.rooms.seat(*key)?.conn).collect();
            return self.send_news(&conns, &[news]);
        }
        let (due, queue) = match news {
            News::Joined(_) => (&mut topic.introducing, &mut self.introductions),
            News::Left(..) | News::Visited(..) => (&mut topic.ticking, &mut self.ticks),
        };
        // News that is sent at once takes the waiting news along.
        if !wait.is_zero() && !std::mem::replace(due, true) {
            queue.push_back((now + wait, *topic_hash));
        }
        for key in audience {
            self.rooms.put_by(*key, news);
        }
        if wait.is_zero() {
            self.tell_news(now, topic_hash);
        }
    }

    /// Sends the batched news of a topic.
    pub(super) fn tell_news(&mut self, now: Duration, topic_hash: &TopicHash) {
        let waiting = self.rooms.take_news(topic_hash);
        if let Some(topic) = self.rooms.topics.get_mut(topic_hash) {
            topic.quiet_until = now + self.settings.tick;
            (topic.introducing, topic.ticking) = (false, false);
        }
        for (conn, news) in waiting {
            self.send_news(&[conn], &news);
        }
    }

    fn send_news(&mut self, conns: &[ConnId], news: &[News]) {
        let (mut departed, mut members, mut visitors) = (Vec::new(), Vec::new(), Vec::new());
        let left = |member: &Member, reason: &LeftReason| Departed {
            id: member.id,
            incarnation: member.incarnation,
            reason: *reason,
        };
        for news in news {
            match news {
                News::Joined(member) => members.push(*member),
                News::Left(member, reason) => departed.push(left(member, reason)),
                News::Visited(member, reason) => {
                    members.push(*member);
                    visitors.push(left(member, reason));
                }
            }
        }
        self.send_left(conns, &departed);
        for members in members.chunks(MAX_NAMED) {
            self.send_all(conns, &ServerMessage::Joined { members: members.to_vec() });
        }
        // After the `joined` that names them.
        self.send_left(conns, &visitors);
    }

    fn send_left(&mut self, conns: &[ConnId], departed: &[Departed]) {
        for departed in departed.chunks(MAX_NAMED) {
            self.send_all(conns, &ServerMessage::Left { members: departed.to_vec() });
        }
    }
}

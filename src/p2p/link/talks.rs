//! Who offers and who answers: the two sides' agreement on a connection's descriptions.

use serde::{Deserialize, Serialize};

use super::candidate::{MAX_CANDIDATES, MAX_SENT_CANDIDATES};
use super::{Candidate, Role, Sdp};

/// What two peers say to each other to make or renew a connection: through the server until it is open, and then over
/// the connection itself.
///
/// Every one names its attempt, so that what is late from an old attempt is told from what belongs to the new one; and
/// its round, so that the same holds for the descriptions of one attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Negotiation {
    /// The attempt: a random number that the first offerer chose.
    pub(crate) attempt: u32,
    /// Counts the sender's descriptions of this attempt, from 0. A candidate belongs to that description.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) round: u32,
    /// For an answer: the round of the offer that it answers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) answers: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) offer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) candidate: Option<Candidate>,
    /// "You are the one who offers: please do." From a side that has waited for an offer in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dial: Option<Dial>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dial {}

// serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What was said in the present round, to be said again if it got lost on the way: a description and its candidates.
const MAX_SAID: usize = 1 + MAX_CANDIDATES;

/// How far the two sides of a connection have agreed on its descriptions: perfect negotiation
/// (<https://www.w3.org/TR/webrtc/#perfect-negotiation-example>), as plain state.
#[derive(Debug)]
pub(crate) struct Talks {
    /// Of two offers that cross, the polite side's gives way.
    polite: bool,
    /// The round of this side's newest description.
    round: u32,
    /// This side's offer that has no answer yet.
    offering: Option<u32>,
    /// The round of the other side's offer that this side is making an answer to.
    answering: Option<u32>,
    /// The round of the other side's newest description that was accepted.
    theirs: Option<u32>,
    /// The driver has set that description.
    set: bool,
    /// An offer of the other side's that gave way to ours.
    ignored: Option<u32>,
    /// Candidates that came before their description was set, each with its round.
    early: Vec<(u32, Candidate)>,
    /// How many of the other side's candidates were added, and how many arrived, since its newest description.
    added: usize,
    come: usize,
    /// Make another offer when the one in progress has been answered.
    again: Option<Again>,
    /// What this side has said in its newest round: the description and its candidates.
    said: Vec<Negotiation>,
}

/// What another offer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Again {
    /// Tracks came or went.
    Tracks,
    /// ICE restarts.
    Restart,
}

/// What is to be done with something that the other side said.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Nothing,
    /// Set this description.
    Set(Sdp),
    /// Add this candidate.
    Add(Candidate),
    /// It did not hear our answer: say again what we said.
    Repeat,
    /// The peer sent more candidates than any browser.
    TooMany,
}

impl Talks {
    /// The offerer's first offer is on its way when this is made, the answerer's first answer when [`Self::hear`] has
    /// taken the offer.
    pub(super) fn new(role: Role, polite: bool) -> Self {
        Self {
            polite,
            round: 0,
            offering: (role == Role::Offerer).then_some(0),
            answering: None,
            theirs: None,
            set: false,
            ignored: None,
            early: Vec::new(),
            added: 0,
            come: 0,
            again: None,
            said: Vec::new(),
        }
    }

    fn is_stable(&self) -> bool {
        self.offering.is_none() && self.answering.is_none()
    }

    /// Wants another offer; true if it should be made now.
    pub(crate) fn want(&mut self, again: Again) -> bool {
        if !self.is_stable() {
            self.again = self.again.max(Some(again));
            return false;
        }
        self.round = self.round.wrapping_add(1);
        self.offering = Some(self.round);
        self.said.clear();
        true
    }

    /// The offer that has waited for the present negotiation to end, if that has ended.
    pub(crate) fn next(&mut self) -> Option<Again> {
        let again = self.again.filter(|_| self.is_stable())?;
        self.again = None;
        self.want(again).then_some(again)
    }

    /// This side's description is made: what to say, unless it has been overtaken.
    pub(crate) fn described(&mut self, attempt: u32, sdp: Sdp) -> Option<Negotiation> {
        let mut message = Negotiation { attempt, round: self.round, ..Negotiation::default() };
        match sdp {
            Sdp::Offer(sdp) => {
                self.offering?;
                message.offer = Some(sdp);
            }
            Sdp::Answer(sdp) => {
                message.answers = self.answering.take()?;
                message.answer = Some(sdp);
            }
        }
        Some(self.say(message))
    }

    /// This side found a candidate: what to say.
    pub(crate) fn found(&mut self, attempt: u32, candidate: Candidate) -> Negotiation {
        let candidate = Some(candidate);
        self.say(Negotiation { attempt, round: self.round, candidate, ..Negotiation::default() })
    }

    fn say(&mut self, message: Negotiation) -> Negotiation {
        if self.said.len() < MAX_SAID {
            self.said.push(message.clone());
        }
        message
    }

    /// What this side has said in its newest round.
    pub(crate) fn said(&self) -> &[Negotiation] {
        &self.said
    }

    /// Whether an offer of this side's has no answer yet.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.offering.is_some()
    }

    /// Takes in what the other side says about this attempt.
    pub(crate) fn hear(&mut self, message: Negotiation) -> Heard {
        let round = message.round;
        if let Some(sdp) = message.offer {
            if self.theirs.is_some_and(|theirs| round <= theirs) {
                return if self.theirs == Some(round) && self.answering.is_none() {
                    Heard::Repeat
                } else {
                    Heard::Nothing
                };
            }
            if self.offering.is_some() && !self.polite {
                self.ignored = Some(round);
                return Heard::Nothing;
            }
            // A polite side's own offer is rolled back. If it was to restart ICE, theirs does as well, or trouble
            // goes on and there will be another.
            self.offering = None;
            // The first answer has the round that candidates found until then have.
            if self.theirs.is_some() || !self.said.is_empty() {
                self.round = self.round.wrapping_add(1);
            }
            self.said.clear();
            self.answering = Some(round);
            self.expect(round);
            Heard::Set(Sdp::Offer(sdp))
        } else if let Some(sdp) = message.answer {
            if self.offering != Some(message.answers) {
                return Heard::Nothing;
            }
            self.offering = None;
            self.expect(round);
            Heard::Set(Sdp::Answer(sdp))
        } else if let Some(candidate) = message.candidate {
            self.come += 1;
            if self.come > MAX_SENT_CANDIDATES {
                return Heard::TooMany;
            }
            if self.theirs == Some(round) && self.set {
                self.added += 1;
                return if self.added > MAX_CANDIDATES { Heard::Nothing } else { Heard::Add(candidate) };
            }
            let stale = self.theirs.is_some_and(|theirs| round < theirs) || self.ignored == Some(round);
            if !stale && self.early.len() < MAX_CANDIDATES {
                self.early.push((round, candidate));
            }
            Heard::Nothing
        } else {
            Heard::Nothing
        }
    }

    fn expect(&mut self, round: u32) {
        self.theirs = Some(round);
        self.set = false;
        (self.added, self.come) = (0, 0);
    }

    /// The remote description is set: the candidates that have waited for it.
    pub(crate) fn remote_set(&mut self) -> Vec<Candidate> {
        let Some(theirs) = self.theirs else { return Vec::new() };
        self.set = true;
        let early = std::mem::take(&mut self.early);
        let (now, later): (Vec<_>, Vec<_>) =
            early.into_iter().filter(|(round, _)| *round >= theirs).partition(|(round, _)| *round == theirs);
        self.early = later;
        self.added += now.len();
        now.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_s_document_shows_what_peers_say() {
        let document = include_str!("../../signal/PROTOCOL.md");
        let examples: Vec<&str> = document.split("```").filter_map(|block| block.strip_prefix("json data\n")).collect();
        assert_eq!(examples.len(), 5);
        for example in examples {
            let Ok(parsed) = serde_json::from_str::<Negotiation>(example) else { panic!("{example}") };
            assert_eq!(serde_json::to_string(&parsed).ok().as_deref(), Some(example.trim()));
        }
    }

    fn candidate(n: usize) -> Candidate {
        Candidate { candidate: n.to_string(), sdp_mid: Some("0".into()), sdp_m_line_index: Some(0) }
    }

    fn says(round: u32, candidate: Candidate) -> Negotiation {
        Negotiation { round, candidate: Some(candidate), ..Negotiation::default() }
    }

    /// One offers, the other answers.
    fn agree(one: &mut Talks, two: &mut Talks, text: &str) {
        let Some(offer) = one.described(7, Sdp::Offer(text.into())) else { panic!("no offer") };
        assert_eq!(two.hear(offer), Heard::Set(Sdp::Offer(text.into())));
        two.remote_set();
        let Some(answer) = two.described(7, Sdp::Answer(text.into())) else { panic!("no answer") };
        assert_eq!(one.hear(answer), Heard::Set(Sdp::Answer(text.into())));
        one.remote_set();
        assert!(one.is_stable() && two.is_stable());
    }

    fn pair() -> (Talks, Talks) {
        let (mut one, mut two) = (Talks::new(Role::Offerer, true), Talks::new(Role::Answerer, false));
        agree(&mut one, &mut two, "first");
        (one, two)
    }

    #[test]
    fn candidates_wait_for_the_remote_description() {
        let mut talks = Talks::new(Role::Offerer, true);
        for n in 0..100 {
            assert_eq!(talks.hear(says(0, candidate(n))), Heard::Nothing);
        }
        let answer = Negotiation { answer: Some("a".into()), ..Negotiation::default() };
        assert_eq!(talks.hear(answer.clone()), Heard::Set(Sdp::Answer("a".into())));
        let waited = talks.remote_set();
        assert_eq!((waited.len(), &waited[0]), (MAX_CANDIDATES, &candidate(0)));
        assert_eq!(talks.hear(says(0, candidate(100))), Heard::Nothing, "as many as are tried were added");
        assert_eq!(talks.hear(answer), Heard::Nothing, "a second answer to the same offer is none");
    }

    #[test]
    fn more_candidates_than_a_browser_has_are_too_many() {
        let (mut one, mut two) = pair();
        let heard: Vec<Heard> = (0..1000).map(|n| two.hear(says(0, candidate(n)))).collect();
        assert_eq!(heard.iter().filter(|heard| matches!(heard, Heard::Add(_))).count(), MAX_CANDIDATES);
        assert_eq!(heard.iter().position(|heard| *heard == Heard::TooMany), Some(MAX_SENT_CANDIDATES));
        // The next description allows as many again.
        assert!(one.want(Again::Restart));
        agree(&mut one, &mut two, "again");
        assert_eq!(two.hear(says(1, candidate(1))), Heard::Add(candidate(1)));
    }

    #[test]
    fn candidates_of_another_round_wait_for_theirs_or_are_dropped() {
        let (mut one, mut two) = pair();
        assert!(one.want(Again::Restart));
        assert_eq!(two.hear(says(1, candidate(1))), Heard::Nothing, "it has overtaken its offer");
        agree_with(&mut one, &mut two);
        assert_eq!(two.hear(says(0, candidate(2))), Heard::Nothing, "it is late");
        assert_eq!(two.hear(says(1, candidate(3))), Heard::Add(candidate(3)));
    }

    fn agree_with(one: &mut Talks, two: &mut Talks) {
        let Some(offer) = one.described(7, Sdp::Offer("again".into())) else { panic!("no offer") };
        assert_eq!(two.hear(offer), Heard::Set(Sdp::Offer("again".into())));
        assert_eq!(two.remote_set(), [candidate(1)]);
        let Some(answer) = two.described(7, Sdp::Answer("again".into())) else { panic!("no answer") };
        assert_eq!((answer.round, answer.answers), (1, 1));
        assert_eq!(one.hear(answer), Heard::Set(Sdp::Answer("again".into())));
    }

    #[test]
    fn of_two_offers_that_cross_the_impolite_one_s_stands() {
        let (mut polite, mut impolite) = pair();
        assert!(polite.want(Again::Restart) && impolite.want(Again::Restart));
        let Some(theirs) = polite.described(7, Sdp::Offer("p".into())) else { panic!("no offer") };
        assert_eq!(impolite.hear(theirs), Heard::Nothing);
        assert_eq!(impolite.hear(says(1, candidate(1))), Heard::Nothing, "its candidates are ignored too");
        agree(&mut impolite, &mut polite, "i");
        assert_eq!(impolite.early, []);
        assert_eq!(polite.described(7, Sdp::Offer("p".into())), None, "what was rolled back is not sent");
        // And either may offer again.
        assert!(polite.want(Again::Tracks));
        agree(&mut polite, &mut impolite, "more");
        assert!(impolite.want(Again::Tracks));
        agree(&mut impolite, &mut polite, "still more");
    }

    #[test]
    fn an_offer_that_comes_too_early_is_made_when_the_present_one_is_answered() {
        let (mut one, mut two) = pair();
        assert!(one.want(Again::Tracks));
        assert!(!one.want(Again::Tracks) && !one.want(Again::Restart));
        assert_eq!(one.next(), None);
        agree(&mut one, &mut two, "tracks");
        assert_eq!(one.next(), Some(Again::Restart));
        agree(&mut one, &mut two, "restart");
        assert_eq!(one.next(), None);
    }

    #[test]
    fn an_answer_that_got_lost_is_said_again() {
        let (mut one, mut two) = pair();
        assert!(one.want(Again::Restart));
        let Some(offer) = one.described(7, Sdp::Offer("o".into())) else { panic!("no offer") };
        assert!(matches!(two.hear(offer.clone()), Heard::Set(_)));
        assert_eq!(two.hear(offer.clone()), Heard::Nothing, "it is being answered");
        let Some(answer) = two.described(7, Sdp::Answer("a".into())) else { panic!("no answer") };
        assert_eq!(two.hear(offer), Heard::Repeat);
        assert_eq!(two.said(), [answer]);
    }
}

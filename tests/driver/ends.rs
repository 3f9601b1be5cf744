//! The end of sessions on the model.

use crate::kept::Presented;
use crate::logins::Rest;
use crate::model::Model;
use crate::scenario::Fault;
use crate::trace::Failure;
use crate::view::Found;

impl Model {
    /// Ends sessions for everybody.
    pub fn end(&mut self, sessions: &[Presented], found: Option<Found>) -> Result<(), Failure> {
        if !self.can_end() {
            return Ok(());
        }
        let mut all = Ok(());
        // In which order they end shows where an answer is lost.
        let first = match self.writes {
            Some(Fault::LostAnswer | Fault::LostLater | Fault::DownLater)
                if !sessions.is_empty() =>
            {
                self.choices.choose(sessions.len())
            }
            _ => 0,
        };
        for Presented { session, .. } in sessions[first..].iter().chain(&sessions[..first]) {
            let over = !self.is_live(&self.sessions[*session]);
            if !over && self.is_overtaken(*session, found) {
                // The first try met a conflict.
                self.write()?;
                self.lost_answer()?;
                let lost = self.meets && self.writes == Some(Fault::LostAnswer);
                if lost && self.choices.choose(2) == 1 {
                    // So may the next one, whose answer is lost.
                    return Err(Failure::Storage);
                }
            }
            match if over { self.write_in_vain() } else { self.write() } {
                Ok(()) if !over => self.second_half(Rest::End(*session)),
                Ok(()) => {}
                Err(failure) if self.writes.is_some() => return Err(failure),
                failure => all = failure,
            }
            self.lost_answer()?;
        }
        all
    }

    /// Whether somebody has written the session since the request met it; open for those
    /// that it does not go on with.
    fn is_overtaken(&mut self, session: usize, found: Option<Found>) -> bool {
        let writes = self.sessions[session].writes;
        match found.filter(|found| found.session == session) {
            Some(found) => self.settings.place.on_server() && found.writes != writes,
            None => {
                let fault = self.writes != Some(Fault::None);
                self.settings.place.on_server() && fault && self.choices.choose(2) == 1
            }
        }
    }
}

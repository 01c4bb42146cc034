//! The workers, from outside: started, told what to do, killed, and started again.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;
use tower::BoxError;

use crate::message::{Equipment, Order, Report};

/// Something that happened, and to which worker: each process that is started has a number of its own.
#[derive(Debug)]
pub enum Event {
    Reported(u64, Report),
    /// It ended.
    Gone(u64),
    /// Its token request arrived at the gate.
    Asked(u64),
    /// It is about to get the server's answer.
    Answered(u64),
}

/// A worker that was killed.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    pub worker: u64,
    pub at: Instant,
}

pub struct Crew {
    /// By place: as many as there are processes.
    members: Vec<Member>,
    pub kills: Vec<Kill>,
    equipment: Equipment,
    events: UnboundedSender<Event>,
    next: u64,
}

struct Member {
    worker: u64,
    child: Child,
    stdin: ChildStdin,
}

impl Crew {
    /// Starts this many workers. Each asks for tokens at an endpoint of its own: the one of the equipment, and its number.
    pub fn start(
        processes: usize,
        equipment: Equipment,
        events: UnboundedSender<Event>,
    ) -> Result<Self, BoxError> {
        let mut crew = Self { members: Vec::new(), kills: Vec::new(), equipment, events, next: 1 };
        for _ in 0..processes {
            let member = crew.hire()?;
            crew.members.push(member);
        }
        Ok(crew)
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The place of a worker; `None` when it is no longer one.
    pub fn place_of(&self, worker: u64) -> Option<usize> {
        self.members.iter().position(|member| member.worker == worker)
    }

    /// Tells the worker at a place what to do.
    pub fn order(&mut self, place: usize, order: &Order) -> Result<(), BoxError> {
        let member = self.members.get_mut(place).ok_or("there is no such place")?;
        // One that is gone cannot be told; that it is gone is told by another way.
        let _ = write_line(&mut member.stdin, &serde_json::to_string(order)?);
        Ok(())
    }

    /// Kills the worker at a place, and starts another there.
    pub fn replace(&mut self, place: usize) -> Result<(), BoxError> {
        let member = self.members.get_mut(place).ok_or("there is no such place")?;
        member.child.kill()?;
        self.kills.push(Kill { worker: member.worker, at: Instant::now() });
        member.child.wait()?;
        let hired = self.hire()?;
        if let Some(member) = self.members.get_mut(place) {
            *member = hired;
        }
        Ok(())
    }

    fn hire(&mut self) -> Result<Member, BoxError> {
        let worker = self.next;
        self.next += 1;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut stdin = stdin.ok_or("a worker without standard input")?;
        let stdout = stdout.ok_or("a worker without standard output")?;
        let events = self.events.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(report) = serde_json::from_str(&line) {
                    let _ = events.send(Event::Reported(worker, report));
                }
            }
            let _ = events.send(Event::Gone(worker));
        });
        let token_endpoint = format!("{}/{worker}", self.equipment.token_endpoint);
        let equipment = Equipment { token_endpoint, ..self.equipment.clone() };
        // Through a pipe, because everybody can read a command line.
        write_line(&mut stdin, &serde_json::to_string(&equipment)?)?;
        Ok(Member { worker, child, stdin })
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
    }
}

fn write_line(stdin: &mut ChildStdin, line: &str) -> std::io::Result<()> {
    stdin.write_all(format!("{line}\n").as_bytes())?;
    stdin.flush()
}

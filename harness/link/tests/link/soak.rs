//! Whatever is done to a wire, once it is clean all has arrived as it was sent: the property of a pipe (`src/pipe/tests/random.rs`)
//! on real sockets, where a wake-up can be missed.

use crate::rig::{DEADLINE, End, Rig};
use squall_model::Damage;
use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

const CONNECTIONS: usize = 5;
/// Bytes that each end sends: more than the buffers on the way take.
const LENGTH: usize = 8 << 20;
const CHANGES: usize = 150;
/// Between two changes, unless something arrives before.
const PAUSE: Duration = Duration::from_millis(5);

/// Numbers without a pattern, the same in every run.
struct Numbers(u64);

impl Numbers {
    /// Below `end`.
    fn below(&mut self, end: u64) -> u64 {
        // Knuth's constants (MMIX); the upper half is the better one.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Any damages that lose nothing, one of a kind.
    fn damages(&mut self) -> Vec<Damage> {
        let ms = |n| Duration::from_millis(n);
        let all = [
            Damage::Cut,
            Damage::SwallowAnswers,
            Damage::SwallowRequests,
            Damage::Refuse,
            Damage::Slow { by: ms(self.below(20)), jitter: ms(self.below(20)) },
            Damage::Rate { bytes_per_second: 1 << (12 + self.below(18)) },
            Damage::SlowClose(ms(self.below(20))),
        ];
        all.into_iter().filter(|_| self.below(4) == 0).collect()
    }
}

fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

/// Sends all, in pieces of any size, then the end.
fn send(mut to: TcpStream, seed: u64) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut numbers, mut sent) = (Numbers(seed), 0);
        while sent < LENGTH {
            let most = 1 << (1 + numbers.below(17));
            let size = 1 + numbers.below(most) as usize;
            let piece: Vec<u8> = (sent..LENGTH.min(sent + size)).map(byte).collect();
            to.write_all(&piece).unwrap();
            sent += piece.len();
        }
        to.shutdown(Shutdown::Write).unwrap();
    })
}

/// Hears all, then the end.
fn hear(mut from: TcpStream, heard: Sender<()>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        from.set_read_timeout(Some(DEADLINE)).unwrap();
        let (mut sum, mut some) = (0, vec![0; 32 << 10]);
        loop {
            let read = from.read(&mut some).unwrap();
            assert!(some[..read].iter().zip(sum..).all(|(&heard, at)| heard == byte(at)), "near byte {sum}");
            sum += read;
            // Whoever changes the damage may have had enough.
            let _ = heard.send(());
            if read == 0 {
                return assert_eq!(sum, LENGTH);
            }
        }
    })
}

/// Everything that goes over a connection, both ways at once.
fn talk((caller, callee): &(End, End), seed: u64, heard: &Sender<()>) -> [JoinHandle<()>; 4] {
    let clone = |end: &End| end.0.try_clone().unwrap();
    [
        send(clone(caller), seed),
        send(clone(callee), seed + 1),
        hear(clone(caller), heard.clone()),
        hear(clone(callee), heard.clone()),
    ]
}

#[tokio::test]
async fn all_arrives_whatever_is_done_on_the_way() {
    let mut rig = Rig::start().await;
    let open: Vec<(End, End)> = (0..CONNECTIONS).map(|_| rig.connect()).collect();
    let (heard, hears): (Sender<()>, Receiver<()>) = channel();
    let talks: Vec<JoinHandle<()>> = open.iter().zip(0u64..).flat_map(|(ends, n)| talk(ends, 2 * n, &heard)).collect();
    let mut numbers = Numbers(1);
    for _ in 0..CHANGES {
        let damages = numbers.damages();
        rig.damage(&damages).await;
        // What has been heard before the change does not count.
        while hears.try_recv().is_ok() {}
        let _ = hears.recv_timeout(PAUSE);
    }
    rig.clean().await;
    for talk in talks {
        talk.join().unwrap();
    }
    let ended = rig.ended(CONNECTIONS);
    assert!(ended.iter().all(|record| (record.sent, record.answered) == (LENGTH as u64, LENGTH as u64)));
}

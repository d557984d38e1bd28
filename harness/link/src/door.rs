//! Where a wire accepts connections: a TCP port of loopback that accepts, is silent, or refuses.
//!
//! **Refusing** must be the kernel's doing, so the listening socket is closed. Another socket that is bound to the port and does
//! not listen keeps it meanwhile: both allow it by `SO_REUSEPORT`, and the kernel gives a bound port to nobody who asks for any.
//!
//! **Silence** is a classic BPF program on the listening socket that lets no packet through (`SO_ATTACH_FILTER`, socket(7)),
//! which on most kernels needs no privileges ([`can_be_silent`]): a SYN meets it before anything answers, and so does the last packet of a handshake that is
//! under way, which is then finished when its sender repeats it. The socket, its port and its queue stay as they are. The usual
//! way, a backlog of 0 that a connection of one's own fills, is worse in three respects: others may get in before that
//! connection does, the last packet of a handshake is dropped after the caller has seen its connection come to be, and what
//! waits in the queue cannot be accepted without making room.
//!
//! Connections that wait to be accepted when the door shuts have come to be for their callers: they are accepted first. What
//! comes to be between that and a refusal, in the microseconds until the socket is closed, is reset by the kernel, and
//! leaves no record. An attempt made in silence repeats its SYN (on Linux after 1 s, then every second, later ever more
//! seldom: `tcp_syn_linear_timeouts`), so it comes to be up to that much after the silence has ended.
//!
//! Where there is no such filter (not Linux), silence is weaker: a connection comes to be, but nobody answers on it.

use crate::{harm::Reception, token::Watched};
use mio::{
    Interest, Registry,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, SockRef, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Connections that may wait to be accepted; the kernel's own limit is lower on many machines.
const BACKLOG: i32 = 4_096;

#[derive(Debug)]
pub(crate) struct Door {
    number: usize,
    at: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Listening {
        listener: TcpListener,
        is_silent: bool,
    },
    /// Bound, not listening.
    Reserved {
        _port: Socket,
    },
}

impl Door {
    /// Any free port of this address, refusing.
    pub(crate) fn new(number: usize, host: IpAddr) -> io::Result<Door> {
        let socket = bound(SocketAddr::new(host, 0))?;
        let at = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Door { number, at, state: State::Reserved { _port: socket } })
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.at
    }

    /// How those are met who come.
    pub(crate) fn reception(&self) -> Reception {
        match self.state {
            State::Listening { is_silent: false, .. } => Reception::Accept,
            State::Listening { is_silent: true, .. } => Reception::Silence,
            State::Reserved { .. } => Reception::Refuse,
        }
    }

    /// A connection that has come to be, in silence too; an error of kind `WouldBlock` if there is none.
    pub(crate) fn accept(&self) -> io::Result<TcpStream> {
        match &self.state {
            State::Listening { listener, .. } => listener.accept().map(|(stream, _)| stream),
            State::Reserved { .. } => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Has those who come be met like this from now on. To lose none when it begins to refuse, accept right before.
    pub(crate) fn receive(&mut self, reception: Reception, registry: &Registry) -> io::Result<()> {
        match (reception, &mut self.state) {
            (Reception::Refuse, State::Listening { .. }) => self.state = State::Reserved { _port: bound(self.at)? },
            (Reception::Refuse, State::Reserved { .. }) => {}
            (_, State::Listening { listener, is_silent }) => {
                let wanted = reception == Reception::Silence;
                if wanted != *is_silent {
                    silence(&SockRef::from(&*listener), wanted)?;
                    *is_silent = wanted;
                }
            }
            (_, State::Reserved { .. }) => self.state = self.listen(reception == Reception::Silence, registry)?,
        }
        Ok(())
    }

    fn listen(&self, is_silent: bool, registry: &Registry) -> io::Result<State> {
        let socket = bound(self.at)?;
        if is_silent {
            silence(&SockRef::from(&socket), true)?;
        }
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        registry.register(&mut listener, Watched::Door(self.number).into(), Interest::READABLE)?;
        Ok(State::Listening { listener, is_silent })
    }
}

fn bound(at: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

/// Whether this kernel lets us be silent: some keep filters for those who may administrate the network.
#[must_use]
pub fn can_be_silent() -> bool {
    let tried = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).and_then(|socket| silence(&socket, true));
    tried.is_ok()
}

/// Has a listening socket drop every packet, or none.
#[cfg(target_os = "linux")]
fn silence(socket: &Socket, wanted: bool) -> io::Result<()> {
    use nix::libc::{BPF_K, BPF_RET};
    // The whole program: return 0, the number of bytes to let through (Linux, Documentation/networking/filter.rst).
    let drop_all = socket2::SockFilter::new((BPF_RET | BPF_K) as u16, 0, 0, 0);
    if wanted { socket.attach_filter(&[drop_all]) } else { socket.detach_filter() }
}

#[cfg(not(target_os = "linux"))]
fn silence(_: &Socket, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use mio::Poll;
    use std::{
        io::ErrorKind,
        net::TcpStream as StdTcpStream,
        time::{Duration, Instant},
    };

    struct Rig {
        poll: Poll,
        door: Door,
    }

    impl Rig {
        fn new(reception: Reception) -> Rig {
            let mut rig = Rig { poll: Poll::new().unwrap(), door: Door::new(0, Ipv4Addr::LOCALHOST.into()).unwrap() };
            rig.receive(reception);
            rig
        }

        fn receive(&mut self, reception: Reception) {
            self.door.receive(reception, self.poll.registry()).unwrap();
            assert_eq!(self.door.reception(), reception);
        }

        fn come(&self, within: Duration) -> io::Result<StdTcpStream> {
            StdTcpStream::connect_timeout(&self.door.address(), within)
        }

        fn is_accepting(&self) {
            let came = self.come(Duration::from_secs(30)).unwrap();
            assert_eq!(self.accepted().peer_addr().unwrap(), came.local_addr().unwrap());
        }

        fn accepted(&self) -> TcpStream {
            let by = Instant::now() + Duration::from_secs(30);
            loop {
                match self.door.accept() {
                    Err(e) if e.kind() == ErrorKind::WouldBlock && Instant::now() < by => std::thread::yield_now(),
                    accepted => return accepted.unwrap(),
                }
            }
        }

        fn is_refusing(&self) {
            assert_eq!(self.come(Duration::from_secs(30)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }

        fn is_silent(&self) {
            assert_eq!(self.come(Duration::from_millis(100)).unwrap_err().kind(), ErrorKind::TimedOut);
        }
    }

    #[test]
    fn a_door_is_what_it_was_told_to_be_whatever_it_was() {
        let all = [Reception::Accept, Reception::Silence, Reception::Refuse];
        let mut rig = Rig::new(Reception::Accept);
        let address = rig.door.address();
        for (from, to) in all.iter().flat_map(|&from| all.map(|to| (from, to))) {
            rig.receive(from);
            rig.receive(to);
            match to {
                Reception::Accept => rig.is_accepting(),
                Reception::Silence => rig.is_silent(),
                Reception::Refuse => rig.is_refusing(),
            }
        }
        assert_eq!(rig.door.address(), address);
    }

    #[test]
    fn who_came_before_the_silence_is_accepted_in_it() {
        let mut rig = Rig::new(Reception::Accept);
        let came = rig.come(Duration::from_secs(30)).unwrap();
        rig.receive(Reception::Silence);
        assert_eq!(rig.accepted().peer_addr().unwrap(), came.local_addr().unwrap());
        rig.is_silent();
    }

    #[test]
    fn who_comes_in_silence_is_heard_after_it() {
        let mut rig = Rig::new(Reception::Silence);
        let caller = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        caller.set_nonblocking(true).unwrap();
        caller.connect(&rig.door.address().into()).unwrap_err();
        rig.is_silent();
        rig.receive(Reception::Accept);
        assert_eq!(rig.accepted().peer_addr().unwrap(), caller.local_addr().unwrap().as_socket().unwrap());
    }

    #[test]
    fn nobody_else_gets_the_port() {
        let rig = Rig::new(Reception::Refuse);
        let taken = std::net::TcpListener::bind(rig.door.address()).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    }
}

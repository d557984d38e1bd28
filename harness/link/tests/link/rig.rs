//! A link process, and both ends of what goes over it.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use socket2::SockRef;
use squall_link::{Control, LinkConfig, LinkLine, WireConfig, parse_line};
use squall_model::{Damage, InstanceId, Stamp, Wire, WireRecord};
use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// For what must happen: nobody waits so long unless it does not.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// For what must not happen. A machine that stalls makes the test blind, but not red.
pub(crate) const MOMENT: Duration = Duration::from_millis(100);
/// Longer than any test.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(3_600);
/// The variable by which this binary is told to be a link.
const CONFIG: &str = "SQUALL_TEST_LINK_CONFIG";

/// The wire from `web-1` to this instance of `reviews`.
pub(crate) fn wire(number: u32) -> Wire {
    let id = |service: &str, number| InstanceId { service: service.into(), number };
    Wire { from: id("web", 1), to: id("reviews", number) }
}

/// A link with wires to `reviews-1` and `reviews-2`, whom the test plays.
pub(crate) struct Rig {
    pub(crate) child: Child,
    pub(crate) control: Control,
    pub(crate) config: LinkConfig,
    pub(crate) callees: Vec<TcpListener>,
    _dir: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Rig {
    pub(crate) async fn start() -> Rig {
        Rig::begin("exec \"$@\"", DEADLINE).await
    }

    /// With a lease as short as this.
    pub(crate) async fn start_with(ttl: Duration) -> Rig {
        Rig::begin("exec \"$@\"", ttl).await
    }

    /// Executed by a shell like this.
    pub(crate) async fn start_under(shell: &str) -> Rig {
        Rig::begin(shell, DEADLINE).await
    }

    /// A runner that stalls is not what is tested, but for where it is: the lease is long.
    async fn begin(shell: &str, ttl: Duration) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let callees: Vec<TcpListener> = (0..2).map(|_| callee()).collect();
        let wires = callees
            .iter()
            .zip(1..)
            .map(|(callee, number)| WireConfig { wire: wire(number), to: Some(callee.local_addr().unwrap()) });
        let config = LinkConfig {
            host: std::net::Ipv4Addr::LOCALHOST.into(),
            control: at("control"),
            records: at("records"),
            wires: wires.collect(),
            seed: 1,
            ttl,
        };
        std::fs::write(at("config"), serde_json::to_vec(&config).unwrap()).unwrap();
        let child = link(shell, &at("config"));
        let control = Control::connect(&config.control, DEADLINE).await.unwrap();
        assert_eq!(control.ready().pid, child.id());
        Rig { child, control, config, callees, _dir: dir }
    }

    /// Another link in place of the one that has ended.
    pub(crate) async fn restart(&mut self) {
        self.child = link("exec \"$@\"", &self.config.control.with_file_name("config"));
        self.control = Control::connect(&self.config.control, DEADLINE).await.unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Has this done to the first wire, and nothing to the other.
    pub(crate) async fn damage(&mut self, damages: &[Damage]) -> Stamp {
        self.control.damage(&[(wire(1), damages.to_vec())]).await.unwrap()
    }

    pub(crate) async fn clean(&mut self) -> Stamp {
        self.control.damage(&[]).await.unwrap()
    }

    /// Where the wire to this instance accepts connections.
    pub(crate) fn door(&self, number: u32) -> SocketAddr {
        let (at, address) = &self.control.ready().listens[number as usize - 1];
        assert_eq!(*at, wire(number));
        *address
    }

    /// Both ends of a new connection over the first wire.
    pub(crate) fn connect(&self) -> (End, End) {
        let caller = End(TcpStream::connect_timeout(&self.door(1), DEADLINE).unwrap());
        (caller, self.accept(1))
    }

    /// The callee's end of the next connection that comes over a wire.
    pub(crate) fn accept(&self, number: u32) -> End {
        End(self.callees[number as usize - 1].accept().unwrap().0)
    }

    /// The kernel refuses who wants a new connection over the first wire.
    pub(crate) fn is_refusing(&self) {
        let met = TcpStream::connect_timeout(&self.door(1), DEADLINE);
        assert_eq!(met.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    /// A new connection over the first wire comes to be and carries.
    pub(crate) fn is_good(&self) {
        let (mut caller, mut callee) = self.connect();
        caller.says("hello");
        callee.hears("hello");
        callee.says("hello");
        caller.hears("hello");
    }

    /// All lines of the records.
    pub(crate) fn lines(&self) -> Vec<LinkLine> {
        let text = std::fs::read_to_string(&self.config.records).unwrap();
        text.lines().map(|line| parse_line(line).unwrap()).collect()
    }

    /// The records of connections that have ended, once there are so many.
    pub(crate) fn ended(&self, count: usize) -> Vec<WireRecord> {
        let by = Instant::now() + DEADLINE;
        loop {
            let ended = self.lines().into_iter().filter_map(|line| match line {
                LinkLine::Record(record) if record.ended.is_some() => Some(record),
                _ => None,
            });
            let ended: Vec<WireRecord> = ended.collect();
            if ended.len() >= count {
                return ended;
            }
            assert!(Instant::now() < by, "only {} connections have ended", ended.len());
            std::thread::yield_now();
        }
    }
}

/// Listens, and does not wait for ever for who comes.
fn callee() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_read_timeout(Some(DEADLINE)).unwrap();
    listener
}

/// This binary, as a link.
fn link(shell: &str, config: &Path) -> Child {
    let binary = std::env::current_exe().unwrap();
    let link = ["--exact", "link_process", "--nocapture"];
    let mut shell_command = Command::new("sh");
    shell_command.args(["-c", shell, "sh"]).arg(binary).args(link).env(CONFIG, config);
    // What a test prints that is none.
    shell_command.stdout(Stdio::null()).spawn().unwrap()
}

/// What the variable says.
pub(crate) fn told() -> Option<PathBuf> {
    std::env::var_os(CONFIG).map(PathBuf::from)
}

/// One end of a connection.
pub(crate) struct End(pub(crate) TcpStream);

impl End {
    pub(crate) fn says(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Exactly this comes.
    pub(crate) fn hears(&mut self, text: &str) {
        self.0.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut heard = vec![0; text.len()];
        self.0.read_exact(&mut heard).unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), text);
    }

    /// Nothing comes, no end either.
    pub(crate) fn hears_nothing(&mut self) {
        self.0.set_read_timeout(Some(MOMENT)).unwrap();
        assert_eq!(self.0.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    /// The other side has ended what it sends.
    pub(crate) fn hears_the_end(&mut self) {
        self.0.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0);
    }

    /// The other side has reset the connection.
    pub(crate) fn hears_a_reset(&mut self) {
        self.0.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(self.0.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }

    /// Ends what it sends, and hears on.
    pub(crate) fn finishes(&mut self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn resets(self) {
        SockRef::from(&self.0).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// The machine's monotonic clock.
pub(crate) fn now() -> Stamp {
    let reading = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    Stamp(u64::try_from(Duration::from(reading).as_nanos()).unwrap())
}

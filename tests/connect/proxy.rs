//! A network that fails: it passes bytes on and cuts both directions after a number of bytes from the client, or accepts a
//! connection and never answers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A listener on 127.0.0.1; it lives as long as the process.
pub struct Proxy {
    /// Its port.
    pub port: u16,
}

impl Proxy {
    /// Passes everything on to `server`, up to `limit` bytes from each client.
    pub fn cutting_after(server: u16, limit: usize) -> Proxy {
        Proxy::answering(move |client| pass_on(client, server, limit))
    }

    /// Cuts the first `times` connections at once, as the proxy of a sleeping server does; then passes all on.
    pub fn asleep(server: u16, times: usize) -> Proxy {
        let left = Arc::new(AtomicUsize::new(times));
        let asleep = move || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        Proxy::answering(move |client| {
            if !asleep() {
                pass_on(client, server, usize::MAX);
            }
        })
    }

    /// Takes connections and keeps silent.
    pub fn silent() -> Proxy {
        Proxy::answering(|client| {
            let mut client = client;
            let _until_it_goes = std::io::copy(&mut client, &mut std::io::sink());
        })
    }

    fn answering(how: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let how = how.clone();
                std::thread::spawn(move || how(client));
            }
        });
        Proxy { port }
    }
}

fn pass_on(client: TcpStream, server: u16, limit: usize) {
    // As the proxy of a sleeping server does: it accepts the connection and closes it.
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
    let (mut back_from, mut back_to) = (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
    let back = std::thread::spawn(move || {
        let _until_cut = std::io::copy(&mut back_from, &mut back_to);
    });
    let (mut from, mut to) = (client, server);
    let mut passed = 0;
    let mut buffer = vec![0; 16 * 1024];
    while passed < limit {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) if to.write_all(&buffer[..n]).is_err() => break,
            Ok(n) => passed += n,
        }
    }
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    let _ended = back.join();
}

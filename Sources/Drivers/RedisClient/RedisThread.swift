import Glibc

/// Starts the thread that owns a connection.
enum RedisThread {
    /// What the thread is born with; it takes the only reference.
    private final class Cargo {
        let mailbox: RedisMailbox
        let configuration: RedisConnection.Configuration

        init(mailbox: RedisMailbox, configuration: RedisConnection.Configuration) {
            self.mailbox = mailbox
            self.configuration = configuration
        }
    }

    /// - Throws: `RedisError` when the system has no thread to give.
    static func start(
        mailbox: RedisMailbox, configuration: RedisConnection.Configuration
    ) throws(RedisError) {
        // SAFETY: released by whoever takes the cargo over: the thread, or the failure path.
        let cargo = unsafe Unmanaged.passRetained(
            Cargo(mailbox: mailbox, configuration: configuration))
        var thread = pthread_t()
        // SAFETY: the cargo is retained until the new thread takes it over, or released below.
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                // SAFETY: `argument` is the cargo retained above, taken exactly once.
                let cargo = unsafe Unmanaged<Cargo>.fromOpaque(argument).takeRetainedValue()
                RedisThread.blockBrokenPipeSignal()
                var worker = RedisWorker(
                    mailbox: cargo.mailbox, configuration: cargo.configuration)
                worker.run()
                return nil
            }, cargo.toOpaque())
        guard result == 0 else {
            // SAFETY: no thread was started, so the reference is still ours.
            unsafe cargo.release()
            throw RedisError(code: .unreachable, message: "no thread for Redis: error \(result)")
        }
        pthread_detach(thread)
    }

    /// hiredis writes without MSG_NOSIGNAL: a server that hangs up must not end the process.
    private static func blockBrokenPipeSignal() {
        var signals = sigset_t()
        // SAFETY: all three work on the local set, for the calling thread only.
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }
}

import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A thread of our own, for C calls that block: they must not hold up Swift's shared pool.
package final class OwnedThread: Sendable {
    private let thread: pthread_t
    private let isJoined = Mutex(false)

    /// Starts `body` on a new thread.
    /// - Parameter name: at most 15 bytes are shown by the system's tools.
    package init(name: String, _ body: sending @escaping () -> Void) throws(SQLError) {
        let context = unsafe Unmanaged.passRetained(Context(name: name, body: body))
        var started = pthread_t()
        // SAFETY: the context is retained for the new thread, which releases it; if none starts,
        // it is released here.
        let result = unsafe pthread_create(
            &started, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Context>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard result == 0 else {
            unsafe context.release()
            throw SQLError(
                code: .other, rawCode: result,
                message: "the system refused another thread; raise its limit on threads")
        }
        thread = started
    }

    deinit {
        if !isJoined.withLock({ $0 }) { pthread_detach(thread) }
    }

    /// Waits for the body's end; idempotent. Called on the thread itself it does nothing.
    package func join() {
        if pthread_equal(thread, pthread_self()) != 0 { return }
        isJoined.withLock { joined in
            if !joined { pthread_join(thread, nil) }
            joined = true
        }
    }

    private final class Context {
        let name: String
        let body: () -> Void
        init(name: String, body: @escaping () -> Void) {
            self.name = name
            self.body = body
        }
        func run() {
            setName()
            body()
        }

        /// Swift cannot import pthread_setname_np, so the name goes the way of the proc file
        /// system. Where there is none, the thread has no name.
        private func setName() {
            // SAFETY: path and bytes are read during the calls only.
            let file = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
            if file < 0 { return }
            _ = unsafe Array(name.utf8.prefix(15)).withUnsafeBytes {
                unsafe write(file, $0.baseAddress, $0.count)
            }
            _ = close(file)
        }
    }
}

import Glibc

/// Threads of our own for calls that block: never a thread of Swift's cooperative pool.
package enum OwnedThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a detached thread.
    /// - Returns: false when the system has no thread left; `body` will then not run.
    package static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        let retained = unsafe Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        // SAFETY: the retained body is consumed exactly once: by the thread, or below when there
        // is none.
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                }
                return nil
            }, retained.toOpaque())
        guard code == 0 else {
            unsafe retained.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    /// Runs `body` on a thread of its own and hands back its result.
    package static func run<Result: Sendable>(
        _ body: @escaping @Sendable () -> Result
    ) async -> Result {
        await withCheckedContinuation { continuation in
            if !start({ continuation.resume(returning: body()) }) {
                // No thread to be had: slow beats not at all.
                continuation.resume(returning: body())
            }
        }
    }

    /// Pauses the calling thread, which must be an owned one.
    package static func pause(milliseconds: Int) {
        usleep(UInt32(clamping: max(0, milliseconds) * 1_000))
    }
}

/// Opens once; threads may wait for that with a deadline.
@safe
final class Latch: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var isOpen = false  // guarded by mutex

    init() {
        // SAFETY: both live at one address, from here to deinit, as POSIX demands.
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        // SAFETY: nobody can hold either: waiting and opening need a reference to self.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    func open() {
        // SAFETY: initialised in init, destroyed in deinit.
        unsafe pthread_mutex_lock(mutex)
        isOpen = true
        unsafe pthread_cond_broadcast(condition)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// - Returns: whether it was open before the time was up.
    func wait(milliseconds: Int) -> Bool {
        var deadline = timespec()
        // SAFETY: initialised in init, destroyed in deinit; `deadline` is a local.
        unsafe clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += milliseconds / 1_000
        deadline.tv_nsec += (milliseconds % 1_000) * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while !isOpen {
            if unsafe pthread_cond_timedwait(condition, mutex, &deadline) != 0 { return isOpen }
        }
        return true
    }
}

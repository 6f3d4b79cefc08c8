#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// State behind a lock that threads can wait at: a mutex and a condition variable in one.
///
/// Unlike `Synchronization.Mutex` it takes state that is not `Sendable`, such as a connection, and
/// it can wait. Not recursive: a body must not enter the same monitor again.
@safe
package final class Monitor<State>: @unchecked Sendable {
    // SAFETY of `@unchecked Sendable`: `state` is touched only between lock and unlock, and the
    // two handles are made for use by several threads.
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    package init(_ state: sending State) {
        self.state = state
        // SAFETY: C objects must not move once in use, hence the heap; `deinit` frees them.
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        // Waits are measured by the clock that nobody sets back.
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        // SAFETY: the last reference is gone, so nobody holds or waits.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    package func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: initialised in `init`; unlocked on every way out.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Waits until `condition` answers something, and returns it.
    /// - Parameter timeoutMilliseconds: at most this long; nil: as long as it takes.
    /// - Returns: nil after the timeout.
    package func wait<Result>(
        timeoutMilliseconds: Int? = nil, until test: (inout State) -> Result?
    ) -> Result? {
        let deadline = timeoutMilliseconds.map(Self.deadline(milliseconds:))
        // SAFETY: as in `withLock`; the wait gives the mutex up and holds it again afterwards.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = test(&state) { return result }
            guard var deadline else {
                unsafe pthread_cond_wait(condition, mutex)
                continue
            }
            if unsafe pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                return test(&state)
            }
        }
    }

    /// Lets every waiting thread test its condition again.
    package func wakeAll() {
        // SAFETY: the condition lives as long as the monitor.
        unsafe pthread_cond_broadcast(condition)
    }

    private static func deadline(milliseconds: Int) -> timespec {
        var now = timespec()
        // SAFETY: `now` outlives the call.
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let nanoseconds = now.tv_nsec + (Swift.max(0, milliseconds) % 1_000) * 1_000_000
        now.tv_sec += Swift.max(0, milliseconds) / 1_000 + nanoseconds / 1_000_000_000
        now.tv_nsec = nanoseconds % 1_000_000_000
        return now
    }
}

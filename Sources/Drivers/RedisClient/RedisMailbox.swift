import Glibc
import Synchronization

/// What callers and the connection's thread share: the bounded queue of jobs, the way to wake the
/// thread, and what is publicly known of the connection.
final class RedisMailbox: Sendable {
    typealias Outcome = Result<RedisExchange, RedisError>

    /// Commands that are sent together and answered together.
    struct Job: Sendable {
        var wire: [UInt8]
        var commandCount: Int
        /// On the monotonic clock, in nanoseconds.
        var deadline: Int64
        /// The only connection on which the job may be sent; nil: any.
        var session: UInt64?
        var continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        var jobs: [Job] = []
        /// Of all jobs not yet answered, queued here or with the thread.
        var commandCount = 0
        var byteCount = 0
        var isWakeUnderWay = false
        var isClosing = false
        var isClosed = false
        var closeWaiters: [CheckedContinuation<Void, Never>] = []
    }

    /// Ordinal of the live connection; 0 while there is none.
    let session = Atomic<UInt64>(0)
    let connects = Atomic<Int64>(0)
    let commands = Atomic<Int64>(0)
    let timeouts = Atomic<Int64>(0)
    /// End of the pipe that the thread polls.
    let wakeDescriptor: CInt
    private let signalDescriptor: CInt
    private let maximumCommands: Int
    private let maximumBytes: Int
    private let state = Mutex(State())

    init(maximumCommands: Int, maximumBytes: Int) throws(RedisError) {
        self.maximumCommands = maximumCommands
        self.maximumBytes = maximumBytes
        var ends: [CInt] = [-1, -1]
        // SAFETY: `ends` has room for the two descriptors that pipe writes.
        let result = unsafe pipe(&ends)
        wakeDescriptor = ends[0]
        signalDescriptor = ends[1]
        if result != 0 {
            throw RedisError(code: .unreachable, message: "no pipe to wake the thread: \(errno)")
        }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        Glibc.close(wakeDescriptor)
        Glibc.close(signalDescriptor)
    }

    /// Queues a job; resumes its continuation at once when it cannot be taken.
    func post(_ job: Job) {
        let refusal: RedisError? = state.withLock { state in
            if state.isClosing {
                return RedisError(code: .closed, message: "the Redis client is closed")
            }
            if state.commandCount + job.commandCount > maximumCommands
                || state.byteCount + job.wire.count > maximumBytes
            {
                return RedisError(
                    code: .overloaded,
                    message: "\(state.commandCount) commands are waiting for Redis already")
            }
            state.jobs.append(job)
            state.commandCount += job.commandCount
            state.byteCount += job.wire.count
            signal(&state)
            return nil
        }
        if let refusal { job.continuation.resume(returning: .failure(refusal)) }
    }

    /// Everything queued since the last call, and whether the owner wants the end. Thread only.
    func takeJobs() -> (jobs: [Job], isClosing: Bool) {
        state.withLock { state in
            if state.isWakeUnderWay {
                var byte: UInt8 = 0
                // SAFETY: reads at most the one byte that `byte` holds; the pipe never blocks.
                _ = unsafe read(wakeDescriptor, &byte, 1)
                state.isWakeUnderWay = false
            }
            let jobs = state.jobs
            state.jobs.removeAll(keepingCapacity: true)
            return (jobs, state.isClosing)
        }
    }

    /// Ends a job that `takeJobs` handed out. Thread only; exactly once per job.
    func finish(_ job: Job, _ outcome: Outcome) {
        state.withLock { state in
            state.commandCount -= job.commandCount
            state.byteCount -= job.wire.count
        }
        job.continuation.resume(returning: outcome)
    }

    func requestClose() {
        state.withLock { state in
            guard !state.isClosing else { return }
            state.isClosing = true
            signal(&state)
        }
    }

    /// Returns when the thread has answered every job and let go of the connection.
    func waitUntilClosed() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed { state.closeWaiters.append(continuation) }
                return state.isClosed
            }
            if isClosed { continuation.resume() }
        }
    }

    /// The thread's last word.
    func markClosed() {
        let waiters = state.withLock { state in
            state.isClosed = true
            let waiters = state.closeWaiters
            state.closeWaiters = []
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func signal(_ state: inout State) {
        guard !state.isWakeUnderWay else { return }
        state.isWakeUnderWay = true
        var byte: UInt8 = 1
        // SAFETY: writes one byte from `byte`; one byte at most is ever in the pipe.
        _ = unsafe write(signalDescriptor, &byte, 1)
    }
}

import Glibc
import Synchronization

/// The thread's side of a connection: connects, greets, sends, receives, watches deadlines.
///
/// Replies have no number on them: the n-th reply belongs to the n-th command. So a command whose
/// deadline passes takes the whole connection with it, and everything under way is unknown.
struct RedisWorker: ~Copyable {
    private enum Phase {
        /// No connection; the next attempt may start at this instant.
        case idle(until: Int64)
        case connecting(deadline: Int64)
        case greeting(deadline: Int64)
        case ready
    }

    private struct Flight {
        var job: RedisMailbox.Job
        var replies: [RedisValue] = []
    }

    /// Above this, nothing more is put into the output buffer before it has been written: hiredis
    /// moves the rest of the buffer after every partial write.
    private static let outputBytesMaximum = 1 << 20

    private let mailbox: RedisMailbox
    private let configuration: RedisConnection.Configuration
    private var phase = Phase.idle(until: 0)
    private var context: RedisContext?
    private var session: UInt64 = 0
    /// Taken from the mailbox, not yet sent.
    private var waiting = Fifo<RedisMailbox.Job>()
    /// Sent, not yet answered in full.
    private var flights = Fifo<Flight>()
    private var greetingRepliesMissing = 0
    private var unwrittenBytes = 0
    /// No deadline is earlier than this.
    private var earliestDeadline = Int64.max
    private var failedAttempts = 0
    private var lastFailure = RedisError(code: .unreachable, message: "not connected to Redis")

    init(mailbox: RedisMailbox, configuration: RedisConnection.Configuration) {
        self.mailbox = mailbox
        self.configuration = configuration
    }

    mutating func run() {
        while true {
            let (jobs, isClosing) = mailbox.takeJobs()
            for job in jobs {
                earliestDeadline = min(earliestDeadline, job.deadline)
                waiting.append(job)
            }
            if isClosing { break }
            let now = MonotonicTime.now()
            startConnecting(now)
            expire(now)
            sendWaiting()
            let events = waitForEvents()
            if events != 0 { receive(events) }
        }
        let closed = RedisError(code: .closed, message: "the Redis client was closed")
        disconnect(closed)
        failWaiting(closed)
        mailbox.markClosed()
    }

    // MARK: Connecting

    private mutating func startConnecting(_ now: Int64) {
        guard case .idle(let until) = phase else { return }
        guard now >= until else {
            // The server is known to be away: nobody waits for the next attempt.
            failWaiting(lastFailure)
            return
        }
        do throws(RedisError) {
            context = try RedisContext.connecting(
                to: configuration.url.host, port: configuration.url.port)
            phase = .connecting(deadline: now + configuration.connectTimeout.wholeNanoseconds)
        } catch {
            disconnect(error)
        }
    }

    private mutating func greet() {
        var commands: [RedisCommand] = []
        let url = configuration.url
        if let password = url.password {
            var command = RedisCommand("AUTH")
            if let user = url.user { command.append(user) }
            command.append(password.value)
            commands.append(command)
        }
        if url.database != 0 { commands.append(RedisCommand("SELECT", String(url.database))) }
        commands.append(RedisCommand("PING"))
        var wire: [UInt8] = []
        for command in commands { command.write(into: &wire) }
        do throws(RedisError) {
            context?.enableKeepAlive()
            try context?.append(wire)
            unwrittenBytes = wire.count
            greetingRepliesMissing = commands.count
            let limit = configuration.connectTimeout.wholeNanoseconds
            phase = .greeting(deadline: MonotonicTime.now() + limit)
        } catch {
            disconnect(error)
        }
    }

    private mutating func acceptGreeting(_ reply: RedisValue) throws(RedisError) {
        if let text = reply.errorText {
            let isPassing = text.hasPrefix("LOADING") || text.hasPrefix("MASTERDOWN")
            throw RedisError(code: isPassing ? .unreachable : .refused, message: text)
        }
        greetingRepliesMissing -= 1
        guard greetingRepliesMissing == 0 else { return }
        failedAttempts = 0
        phase = .ready
        session = UInt64(mailbox.connects.add(1, ordering: .relaxed).newValue)
        mailbox.session.store(session, ordering: .releasing)
    }

    /// Lets go of the connection; everything under way fails with unknown outcome.
    private mutating func disconnect(_ error: RedisError) {
        mailbox.session.store(0, ordering: .releasing)
        context = nil
        session = 0
        unwrittenBytes = 0
        let victims = error.withUnknownOutcome()
        while let flight = flights.popFirst() { mailbox.finish(flight.job, .failure(victims)) }
        lastFailure = error
        if case .ready = phase {
            phase = .idle(until: 0)
            return
        }
        // An attempt failed: those who wait learn it now.
        failWaiting(error)
        let longest = configuration.backoffMaximum.wholeNanoseconds
        let pause = configuration.backoffMinimum.wholeNanoseconds << min(failedAttempts, 10)
        failedAttempts += 1
        phase = .idle(until: MonotonicTime.now() + min(pause, longest))
    }

    // MARK: Sending and receiving

    private mutating func sendWaiting() {
        guard context != nil else { return }
        do throws(RedisError) {
            if case .ready = phase {
                while unwrittenBytes < Self.outputBytesMaximum, let job = waiting.popFirst() {
                    if let wanted = job.session, wanted != session {
                        failStranger(job)
                        continue
                    }
                    // In flight before it is handed over: from here on its fate is unknown.
                    flights.append(Flight(job: job))
                    mailbox.commands.add(Int64(job.commandCount), ordering: .relaxed)
                    unwrittenBytes += job.wire.count
                    try context?.append(job.wire)
                }
            }
            if unwrittenBytes > 0, try context?.flush() == true { unwrittenBytes = 0 }
        } catch {
            disconnect(error)
        }
    }

    private mutating func receive(_ events: Int16) {
        if case .connecting = phase {
            greet()
            return
        }
        guard events & Int16(POLLIN | POLLERR | POLLHUP) != 0 else { return }
        do throws(RedisError) {
            try context?.fill()
            while let reply = try context?.nextReply() { try accept(reply) }
        } catch {
            disconnect(error)
        }
    }

    private mutating func accept(_ reply: RedisValue) throws(RedisError) {
        if case .greeting = phase { return try acceptGreeting(reply) }
        guard !flights.isEmpty else {
            throw RedisError(code: .protocolError, message: "a reply to no command")
        }
        var isComplete = false
        flights.updateFirst { flight in
            flight.replies.append(reply)
            isComplete = flight.replies.count == flight.job.commandCount
        }
        if isComplete, let flight = flights.popFirst() {
            let exchange = RedisExchange(replies: flight.replies, session: session)
            mailbox.finish(flight.job, .success(exchange))
        }
    }

    // MARK: Deadlines

    /// Sleeps until something happens; the socket's events, or 0.
    private func waitForEvents() -> Int16 {
        var polled = [pollfd(fd: mailbox.wakeDescriptor, events: Int16(POLLIN), revents: 0)]
        if let descriptor = socketDescriptor {
            var events = POLLIN
            if case .connecting = phase { events = POLLOUT }
            if unwrittenBytes > 0 { events |= POLLOUT }
            polled.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
        }
        // SAFETY: the array holds as many entries as the call is told.
        let result = unsafe poll(&polled, nfds_t(polled.count), pollTimeoutMilliseconds)
        return result > 0 && polled.count == 2 ? polled[1].revents : 0
    }

    private var socketDescriptor: CInt? {
        switch context {
        case .some(let context): context.descriptor
        case .none: nil
        }
    }

    private var pollTimeoutMilliseconds: CInt {
        var next = earliestDeadline
        switch phase {
        case .idle(let until): next = min(next, until)
        case .connecting(let deadline), .greeting(let deadline): next = min(next, deadline)
        case .ready: break
        }
        guard next != .max else { return -1 }
        let left = next - MonotonicTime.now()
        // Rounded up, so that the thread does not wake just before the deadline.
        return left <= 0 ? 0 : CInt(clamping: left / 1_000_000 + 1)
    }

    private mutating func expire(_ now: Int64) {
        switch phase {
        case .connecting(let deadline) where now >= deadline:
            disconnect(RedisError(code: .unreachable, message: "Redis did not accept in time"))
        case .greeting(let deadline) where now >= deadline:
            disconnect(RedisError(code: .unreachable, message: "Redis did not greet in time"))
        default: break
        }
        guard now >= earliestDeadline else { return }
        expireWaiting(now)
        expireFlights(now)
        earliestDeadline = .max
        waiting.forEach { job in earliestDeadline = min(earliestDeadline, job.deadline) }
        flights.forEach { flight in
            earliestDeadline = min(earliestDeadline, flight.job.deadline)
        }
    }

    private mutating func expireWaiting(_ now: Int64) {
        for job in waiting.remove(where: { now >= $0.deadline }) {
            mailbox.timeouts.add(1, ordering: .relaxed)
            mailbox.finish(
                job,
                .failure(
                    RedisError(code: .timeout, message: "could not be sent to Redis in time")))
        }
    }

    private mutating func expireFlights(_ now: Int64) {
        let late = flights.remove(where: { now >= $0.job.deadline })
        guard !late.isEmpty else { return }
        let error = RedisError(
            code: .timeout, message: "Redis did not answer in time", isOutcomeUnknown: true)
        for flight in late {
            mailbox.timeouts.add(1, ordering: .relaxed)
            mailbox.finish(flight.job, .failure(error))
        }
        disconnect(
            RedisError(
                code: .unreachable, message: "the connection was given up: a reply is overdue"))
    }

    private mutating func failWaiting(_ error: RedisError) {
        while let job = waiting.popFirst() { mailbox.finish(job, .failure(error)) }
    }

    private func failStranger(_ job: RedisMailbox.Job) {
        mailbox.finish(
            job,
            .failure(
                RedisError(
                    code: .sessionChanged, message: "the connection to Redis was replaced")))
    }
}

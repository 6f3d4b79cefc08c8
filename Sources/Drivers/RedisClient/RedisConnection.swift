import Synchronization

/// One pipelined connection to a server, driven by a thread of its own.
///
/// Commands that are queued while a round trip is under way travel together in the next one.
/// The connection is kept up: lost ones are replaced, with growing pauses between attempts.
package final class RedisConnection: Sendable {
    package struct Configuration: Sendable {
        package var url: RedisURL
        /// For connecting and for the greeting (AUTH, SELECT, PING), each.
        package var connectTimeout: Duration = .seconds(1)
        /// For an exchange, from `send` to its last reply.
        package var commandTimeout: Duration = .seconds(1)
        /// Commands waiting or under way; one more is refused as overloaded.
        package var maximumCommands = 65_536
        /// Bytes of the commands waiting or under way.
        package var maximumBytes = 64 << 20
        /// Pause after the first failed attempt to connect; doubles up to the maximum.
        package var backoffMinimum: Duration = .milliseconds(50)
        package var backoffMaximum: Duration = .seconds(2)

        package init(url: RedisURL) { self.url = url }
    }

    /// Counts since the start, for metrics.
    package struct Statistics: Sendable, Hashable {
        package var connects: Int64
        package var commands: Int64
        package var timeouts: Int64
    }

    package let configuration: Configuration
    private let mailbox: RedisMailbox

    /// Starts the thread, which connects at once.
    /// - Throws: `RedisError` when the process is out of descriptors or threads.
    package init(_ configuration: Configuration) throws(RedisError) {
        self.configuration = configuration
        mailbox = try RedisMailbox(
            maximumCommands: configuration.maximumCommands,
            maximumBytes: configuration.maximumBytes)
        try RedisThread.start(mailbox: mailbox, configuration: configuration)
    }

    deinit { mailbox.requestClose() }

    /// Whether a connection stands and the server answered its greeting.
    package var isConnected: Bool { session != 0 }

    /// Ordinal of the live connection, growing with every new one; 0 while there is none.
    package var session: UInt64 { mailbox.session.load(ordering: .acquiring) }

    package var statistics: Statistics {
        Statistics(
            connects: mailbox.connects.load(ordering: .relaxed),
            commands: mailbox.commands.load(ordering: .relaxed),
            timeouts: mailbox.timeouts.load(ordering: .relaxed))
    }

    /// Sends commands together and returns one reply for each, in order.
    ///
    /// While the first connection is being made, commands wait for it; while the server is known
    /// to be away, they fail at once.
    /// - Throws: `RedisError`; `isOutcomeUnknown` when the server may have executed some of them.
    package func send(
        _ commands: [RedisCommand], timeout: Duration? = nil
    ) async throws(RedisError) -> [RedisValue] {
        try await exchange(commands, timeout: timeout).replies
    }

    /// As `send`, for commands given as plain arguments.
    package func send(_ commands: [[[UInt8]]]) async throws(RedisError) -> [RedisValue] {
        try await exchange(commands.map { RedisCommand($0) }).replies
    }

    /// As `send`; says on which connection the exchange took place, and can be bound to one: when
    /// another one stands by the time of sending, it fails with `sessionChanged`, unsent.
    package func exchange(
        _ commands: [RedisCommand], on session: UInt64? = nil, timeout: Duration? = nil
    ) async throws(RedisError) -> RedisExchange {
        guard !commands.isEmpty else {
            return RedisExchange(replies: [], session: session ?? self.session)
        }
        var wire: [UInt8] = []
        wire.reserveCapacity(commands.reduce(0) { $0 + $1.byteCount + 16 })
        for command in commands { command.write(into: &wire) }
        let limit = timeout ?? configuration.commandTimeout
        let deadline = MonotonicTime.now() + limit.wholeNanoseconds
        let outcome = await withCheckedContinuation { continuation in
            mailbox.post(
                RedisMailbox.Job(
                    wire: wire, commandCount: commands.count, deadline: deadline,
                    session: session, continuation: continuation))
        }
        return try outcome.get()
    }

    /// Ends the connection; what is queued or under way fails as closed. Returns when the thread
    /// has ended (after at most one host name look-up).
    package func close() async {
        mailbox.requestClose()
        await mailbox.waitUntilClosed()
    }
}

/// The replies to commands sent together.
package struct RedisExchange: Sendable {
    /// One per command.
    package var replies: [RedisValue]
    /// The connection it took place on; see `RedisConnection.session`.
    package var session: UInt64
}

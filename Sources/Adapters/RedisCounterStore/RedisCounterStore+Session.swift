import MeteringPorts
import RedisClient
import Synchronization

/// A connection on which the function library is loaded and the layout has been compared.
struct PreparedSession: Sendable {
    /// See `RedisConnection.session`.
    var ordinal: UInt64
    /// Incarnation of the server: another one after every restart and failover.
    var run: String
}

extension RedisCounterStore {
    private static let attemptsMaximum = 3

    /// Calls functions in one pipeline, and returns one reply per command.
    ///
    /// `build` is given the incarnation of the server that the commands will reach. Commands that
    /// were certainly not executed (the connection was replaced, the functions are not loaded) are
    /// sent again.
    func perform(
        _ build: (_ run: String) -> [RedisCommand]
    ) async throws(SharedCounterError) -> [RedisValue] {
        var replies: [RedisValue] = []
        var missing: [Int] = []
        for attempt in 1...Self.attemptsMaximum {
            let session = try await preparedSession()
            let commands = build(session.run)
            if attempt == 1 {
                replies = [RedisValue](repeating: .null, count: commands.count)
                missing = Array(commands.indices)
            }
            do throws(RedisError) {
                let sent = missing.map { commands[$0] }
                let answers = try await connection.exchange(sent, on: session.ordinal).replies
                calls.add(Int64(sent.count), ordering: .relaxed)
                for (index, answer) in zip(missing, answers) { replies[index] = answer }
            } catch {
                if error.code == .sessionChanged, attempt < Self.attemptsMaximum { continue }
                var failure = SharedCounterError(error)
                if missing.count < replies.count { failure.isOutcomeUnknown = true }
                throw failure
            }
            missing = missing.filter { Self.isFunctionMissing(replies[$0]) }
            if missing.isEmpty { break }
            state.withLock { $0.prepared = nil }
        }
        return replies
    }

    /// As `perform`, for a single command.
    func performOne(
        _ build: (_ run: String) -> RedisCommand
    ) async throws(SharedCounterError) -> RedisValue {
        let replies = try await perform { run in [build(run)] }
        return replies.first ?? .null
    }

    /// The live connection, made ready for calls.
    private func preparedSession() async throws(SharedCounterError) -> PreparedSession {
        let known = state.withLock { $0.prepared }
        if let known, known.ordinal == connection.session { return known }
        let session = try await prepare()
        state.withLock { $0.prepared = session }
        return session
    }

    private func prepare() async throws(SharedCounterError) -> PreparedSession {
        let layoutKey = "\(options.namespace):layout"
        let layout = "1:\(options.shardCount)"
        let first = try await exchange([
            RedisCommand("INFO", "server"), RedisCommand("SET", layoutKey, layout, "NX"),
            RedisCommand("GET", layoutKey), CounterLibrary.versionCall,
        ])
        let info = try first.replies[0].checked().text ?? ""
        guard let run = ServerInfo(info)["run_id"], !run.isEmpty else {
            throw SharedCounterError(
                code: .misconfigured, message: "Redis does not tell its run_id (INFO server)")
        }
        guard let stored = try first.replies[2].checked().text else {
            _ = try first.replies[1].checked()
            throw SharedCounterError(code: .unreachable, message: "Redis lost its layout key")
        }
        guard stored == layout else {
            throw SharedCounterError(
                code: .misconfigured,
                message: "the counters in Redis have layout \(stored) "
                    + "(version:shards), this node wants \(layout); the number of shards "
                    + "is fixed at install: use the old one, or another key namespace")
        }
        if Self.isFunctionMissing(first.replies[3]) {
            let second = try await exchange([CounterLibrary.loadCall], on: first.session)
            _ = try second.replies[0].checked()
        } else {
            _ = try first.replies[3].checked()
        }
        return PreparedSession(ordinal: first.session, run: run)
    }

    func exchange(
        _ commands: [RedisCommand], on session: UInt64? = nil
    ) async throws(SharedCounterError) -> RedisExchange {
        do throws(RedisError) {
            return try await connection.exchange(commands, on: session)
        } catch {
            throw SharedCounterError(error)
        }
    }

    private static func isFunctionMissing(_ reply: RedisValue) -> Bool {
        reply.errorText?.contains("Function not found") ?? false
    }
}

/// The lines `name:value` of an INFO reply.
struct ServerInfo {
    private var values: [Substring: Substring] = [:]

    init(_ text: String) {
        // CRLF is one Character, and a newline.
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            values[line[..<colon]] = line[line.index(after: colon)...]
        }
    }

    subscript(name: String) -> String? { values[Substring(name)].map(String.init) }
}

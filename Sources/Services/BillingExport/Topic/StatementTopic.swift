package import Logging
import MeteringModel
package import MeteringPorts

/// A closed statement line on its way to a topic.
package struct StatementTopicRecord: Sendable, Hashable {
    /// The customer: a customer's lines stay in order.
    package var key: String
    /// The line's id: the same when it comes again.
    package var id: String
    /// The line of NDJSON that exports write, without its end.
    package var value: [UInt8]
    package init(key: String, id: String, value: [UInt8]) {
        self.key = key
        self.id = id
        self.value = value
    }
}

/// Carries the lines of closed statements to a topic: at least once, in the order of closing, each
/// under its stable id. How far it is stands in the store, and moves on only after the topic has a
/// whole statement, so that a crash repeats lines and omits none.
package actor StatementTopic {
    private let store: any BillingStore
    /// Returns once the topic has them for good.
    private let deliver: @Sendable ([StatementTopicRecord]) async throws -> Void
    private let counters: ExportCounters
    private let logger: Logger
    private var backoffMilliseconds = backoffMillisecondsMin

    package static let cursor = "statements_topic"
    private static let statementsAtATime = 20
    private static let linesAtATime = 500
    private static let idle = Duration.seconds(1)
    private static let backoffMillisecondsMin = 250
    private static let backoffMillisecondsMax = 30_000

    package init(
        store: any BillingStore, counters: ExportCounters, logger: Logger,
        deliver: @escaping @Sendable ([StatementTopicRecord]) async throws -> Void
    ) {
        self.store = store
        self.counters = counters
        self.logger = logger
        self.deliver = deliver
    }

    /// Runs until cancelled.
    package func run() async {
        while !Task.isCancelled {
            do {
                let count = try await step()
                backoffMilliseconds = Self.backoffMillisecondsMin
                if count == 0 { try await Task.sleep(for: Self.idle) }
            } catch is CancellationError {
                return
            } catch {
                counters.topicFailures.add(1)
                logger.warning(
                    "statement lines do not reach the topic; trying again",
                    metadata: [
                        "error": "\(error)", "wait_ms": "\(backoffMilliseconds)",
                    ])
                try? await Task.sleep(for: .milliseconds(backoffMilliseconds))
                backoffMilliseconds = min(backoffMilliseconds * 2, Self.backoffMillisecondsMax)
            }
        }
    }

    /// - Returns: the number of statements delivered.
    package func step() async throws -> Int {
        let after = try store.cursor(Self.cursor)
        let statements = try store.statements(
            afterSequence: after, limit: Self.statementsAtATime)
        for statement in statements {
            let lines = try store.lines(statement.customer, statement.month)
            for start in stride(from: 0, to: lines.count, by: Self.linesAtATime) {
                let part = lines[start..<min(start + Self.linesAtATime, lines.count)]
                try await deliver(
                    part.map { line in
                        StatementTopicRecord(
                            key: statement.customer.rawValue, id: line.id,
                            value: StatementRow(statement: statement, line: line).document
                                .canonicalBytes)
                    })
                counters.topicLines.add(Int64(part.count))
            }
            try store.setCursor(Self.cursor, statement.sequence)
        }
        return statements.count
    }
}

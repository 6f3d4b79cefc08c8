package import Logging
import MeteringModel
package import MeteringPorts

/// One record for a topic.
package struct TopicRecord: Sendable, Hashable {
    /// The customer, so that one customer's records stay in order.
    package var key: String
    package var id: String
    package var value: [UInt8]
    package init(key: String, id: String, value: [UInt8]) {
        self.key = key
        self.id = id
        self.value = value
    }
}

/// The outbox as it was before feeds had cursors: a mark on each crossing.
package struct MarkedCrossings: Sendable {
    /// Oldest first, at most so many.
    package var undelivered: @Sendable (Int) throws(LedgerError) -> [StoredCrossing]
    package var markDelivered: @Sendable ([Int64]) throws(LedgerError) -> Void
    package init(
        undelivered: @escaping @Sendable (Int) throws(LedgerError) -> [StoredCrossing],
        markDelivered: @escaping @Sendable ([Int64]) throws(LedgerError) -> Void
    ) {
        self.undelivered = undelivered
        self.markDelivered = markDelivered
    }
}

/// Where records go. A port of this service's own, so that it knows no client.
package protocol TopicProducing: Sendable {
    /// Returns once the topic has them for good, in order.
    func produce(_ records: [TopicRecord], to topic: String) async throws
}

/// Carries every change of a crossing to one topic: at least once, in order, each under its stable
/// id. The cursor moves only after the topic has them, so that a crash repeats and never omits.
package actor TopicFeed {
    private let topic: String
    private let producing: any TopicProducing
    private let crossings: CrossingFeed
    /// Crossings that an earlier version marked one by one; those left are carried once.
    private let marked: MarkedCrossings
    private let store: any AlertStore
    private let clock: WallClock
    private let logger: Logger
    private let pageSize: Int
    private var backoffMilliseconds = 250

    package init(
        topic: String, producing: any TopicProducing, crossings: CrossingFeed,
        marked: MarkedCrossings, store: any AlertStore, clock: WallClock, logger: Logger,
        settings: AlertSettings = AlertSettings()
    ) {
        self.topic = topic
        self.producing = producing
        self.crossings = crossings
        self.marked = marked
        self.store = store
        self.clock = clock
        self.logger = logger
        pageSize = settings.feedPageSize
    }

    private var feed: String { "topic:" + topic }

    /// Carries until cancelled.
    package func run() async {
        while !Task.isCancelled {
            do {
                let hasMore = try await pump()
                backoffMilliseconds = 250
                if !hasMore { try? await Task.sleep(for: .milliseconds(200)) }
            } catch {
                logger.warning("crossings wait for the topic \(topic): \(error)")
                try? await Task.sleep(for: .milliseconds(backoffMilliseconds))
                backoffMilliseconds = min(backoffMilliseconds * 2, 30_000)
            }
        }
    }

    /// Carries one page.
    /// - Returns: whether there may be more at once.
    package func pump() async throws -> Bool {
        guard let cursor = try store.cursor(of: feed) else {
            try await carryMarked()
            return true
        }
        let (page, isAnew) = try crossings.changes(after: cursor, limit: pageSize)
        if isAnew {
            logger.notice("the ledger was made anew: \(topic) gets its crossings again")
        }
        guard let last = page.last else {
            if isAnew { try move(to: FeedCursor(sequence: 0, mark: "")) }
            return false
        }
        try await producing.produce(
            page.map { change in
                TopicRecord(
                    key: change.crossing.crossing.customer.rawValue,
                    id: CrossingDocument.id(change),
                    value: Array(
                        CrossingDocument.json(
                            change.crossing, type: CrossingDocument.type(change)
                        ).utf8))
            }, to: topic)
        try move(to: crossings.cursor(last))
        return page.count + 1 >= pageSize
    }

    /// The first time: what is there now counts as carried, except crossings that are still marked
    /// as undelivered. Those are carried here, and the cursor begins behind all that was seen.
    private func carryMarked() async throws {
        var start = FeedCursor(sequence: 0, mark: "")
        while true {
            let page = try crossings.page(start.sequence, pageSize)
            guard let last = page.last else { break }
            start = crossings.cursor(last)
        }
        while true {
            let waiting = try marked.undelivered(pageSize)
            if waiting.isEmpty { break }
            try await producing.produce(
                waiting.map { stored in
                    TopicRecord(
                        key: stored.crossing.customer.rawValue, id: stored.crossing.id,
                        value: Array(CrossingDocument.json(stored).utf8))
                }, to: topic)
            try marked.markDelivered(waiting.map(\.sequence))
        }
        try move(to: start)
    }

    private func move(to cursor: FeedCursor) throws(LedgerError) {
        try store.take(AlertBatch(items: [], feed: feed, cursor: cursor, at: clock.now()))
    }
}

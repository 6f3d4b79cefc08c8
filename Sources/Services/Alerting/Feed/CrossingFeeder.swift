package import Logging
import MeteringModel
package import MeteringPorts

/// Turns the ledger's changes of crossings into messages in endpoints' lines.
///
/// A page of the feed, the messages made of it, their places in the lines and the cursor behind it
/// are one transaction: each change is told once, whenever the process ends.
package final class CrossingFeeder: Sendable {
    static let feed = "crossings"

    private let crossings: CrossingFeed
    private let store: any AlertStore
    private let book: EndpointBook
    private let facts: FactsLookup
    private let clock: WallClock
    private let settings: AlertSettings
    private let logger: Logger

    package init(
        crossings: CrossingFeed, store: any AlertStore, book: EndpointBook,
        facts: @escaping FactsLookup, clock: WallClock, logger: Logger,
        settings: AlertSettings = AlertSettings()
    ) {
        self.crossings = crossings
        self.store = store
        self.book = book
        self.facts = facts
        self.clock = clock
        self.settings = settings
        self.logger = logger
    }

    /// The first time with this store: what was crossed before is kept as messages (they can be
    /// sent by range) but told to nobody, so that no flood of old news goes out. Call before the
    /// first change that is to be told.
    package func prime() throws(LedgerError) {
        if try store.cursor(of: Self.feed) != nil { return }
        var cursor = FeedCursor(sequence: 0, mark: "")
        repeat {
            let page = try crossings.page(cursor.sequence, settings.feedPageSize)
            if let last = page.last { cursor = crossings.cursor(last) }
            let items = page.filter(isRecent).map {
                AlertBatch.Item(message: message(of: $0))
            }
            try store.take(
                AlertBatch(items: items, feed: Self.feed, cursor: cursor, at: clock.now()))
            if page.count < settings.feedPageSize { return }
        } while true
    }

    /// Takes in one page.
    /// - Returns: whether there may be more at once.
    package func pump() throws(LedgerError) -> Bool {
        let cursor = try store.cursor(of: Self.feed) ?? FeedCursor(sequence: 0, mark: "")
        let (page, isAnew) = try crossings.changes(
            after: cursor, limit: settings.feedPageSize)
        if isAnew {
            logger.notice("the ledger was made anew: its crossings are read from the start")
        }
        guard let last = page.last else {
            if isAnew {
                let origin = FeedCursor(sequence: 0, mark: "")
                try store.take(
                    AlertBatch(items: [], feed: Self.feed, cursor: origin, at: clock.now()))
            }
            return false
        }
        let endpoints = book.endpoints().filter(\.isEnabled)
        let items = page.filter(isRecent).map { item(of: $0, endpoints) }
        try store.take(
            AlertBatch(
                items: items, feed: Self.feed, cursor: crossings.cursor(last), at: clock.now()))
        return page.count + 1 >= settings.feedPageSize
    }

    /// Older messages are forgotten, so a ledger made anew must not bring them up again.
    private func isRecent(_ change: CrossingChange) -> Bool {
        change.at >= clock.now().adding(seconds: -settings.keepDays * 86_400)
    }

    private func message(of change: CrossingChange) -> AlertMessage {
        let crossing = change.crossing.crossing
        let type = CrossingDocument.type(change)
        let found = facts(crossing.customer, crossing.feature, crossing.crossedAt)
        return AlertMessage(
            id: CrossingDocument.id(change), type: type, customer: crossing.customer,
            feature: crossing.feature, plan: found.plan, owner: found.owner,
            levelBasisPoints: CrossingDocument.levelBasisPoints(crossing), at: change.at,
            body: MessageText.body(
                type: type, at: change.at,
                data: CrossingDocument.json(change.crossing, type: type)))
    }

    /// A first crossing goes out at once. What comes after it must settle: a limit that is moved to
    /// and fro within the time is not told at all.
    private func item(
        of change: CrossingChange, _ endpoints: [AlertEndpoint]
    ) -> AlertBatch.Item {
        let message = message(of: change)
        var item = AlertBatch.Item(message: message)
        for endpoint in endpoints where endpoint.isOpen(to: message) {
            let isWanted = endpoint.wants(type: message.type)
            if change.kind == .reached || endpoint.settleSeconds == 0 {
                if isWanted { item.endpoints.append(endpoint.id) }
            } else {
                item.settling.append(
                    .init(
                        endpoint: endpoint.id, subject: change.crossing.crossing.id,
                        due: change.at.adding(seconds: endpoint.settleSeconds),
                        isWanted: isWanted))
            }
        }
        return item
    }
}

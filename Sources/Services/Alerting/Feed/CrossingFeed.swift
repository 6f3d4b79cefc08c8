package import MeteringPorts

/// The ledger's feed of what became of crossings.
package struct CrossingFeed: Sendable {
    /// Drawn once for each ledger: one that was made anew from the log numbers its changes from 1
    /// again, in another order perhaps, and must not be taken for the one before.
    package var incarnation: String
    /// Changes after a sequence, at most so many, in order.
    package var page: @Sendable (Int64, Int) throws(LedgerError) -> [CrossingChange]

    package init(
        incarnation: String,
        page: @escaping @Sendable (Int64, Int) throws(LedgerError) -> [CrossingChange]
    ) {
        self.incarnation = incarnation
        self.page = page
    }

    func cursor(_ change: CrossingChange) -> FeedCursor {
        FeedCursor(
            sequence: change.sequence, mark: incarnation + ":" + CrossingDocument.id(change))
    }

    /// What follows a cursor.
    /// - Parameter limit: of entries looked at, the one at the cursor included.
    /// - Returns: `isAnew` when the entry at the cursor is not there any more, or is another one;
    ///   then the changes are those from the start.
    func changes(
        after cursor: FeedCursor, limit: Int
    ) throws(LedgerError) -> (changes: [CrossingChange], isAnew: Bool) {
        var found = try page(max(0, cursor.sequence - 1), limit)
        if cursor.sequence == 0 { return (found, false) }
        if let first = found.first, self.cursor(first) == cursor {
            found.removeFirst()
            return (found, false)
        }
        return (try page(0, limit), true)
    }
}

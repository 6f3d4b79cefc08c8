package import Entitlements
package import MeteringModel
package import MeteringPorts

/// A snapshot that is to come into force, and what differs from the one before.
package struct Publication: Sendable {
    package var old: CatalogSnapshot
    package var snapshot: CatalogSnapshot
    /// Numbers of the customers that have something else than in `old`.
    package var changed: [Int]
    /// Meters, features, plans or add-ons are not those of `old`.
    package var definitionsChanged: Bool
    /// The earliest instant before now that a change reaches; nil when none reaches into the past.
    package var since: Timestamp?
    package var requestID: String

    package init(
        old: CatalogSnapshot, snapshot: CatalogSnapshot, changed: [Int], definitionsChanged: Bool,
        since: Timestamp?, requestID: String
    ) {
        self.old = old
        self.snapshot = snapshot
        self.changed = changed
        self.definitionsChanged = definitionsChanged
        self.since = since
        self.requestID = requestID
    }
}

/// Brings a snapshot into force between two commits of the ledger, and scores usage anew where the
/// change reaches into the past. When it returns, every later check sees the snapshot.
package typealias Publisher = @Sendable (Publication) async -> Restatement

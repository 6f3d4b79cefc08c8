package import Entitlements
package import MeteringModel
package import MeteringPorts

/// Brings usage on record in line with changed contracts: rows of periods that are counted anew,
/// crossings, adjustments.
///
/// Called on the pipeline's thread between commits (`MeteringPipeline.betweenCommits`), before the
/// new snapshot is put in force: everything read is committed under the old one then, and whatever
/// is read later is counted under the new one. The same change restated again finds all of it done.
package final class Restater: Sendable {
    let ledger: any LedgerQueries & LedgerControl
    private let catalog: CurrentCatalog
    let recount: SliceRecount
    let limits: @Sendable (CatalogSnapshot) -> LimitRule
    let aheadSeconds: Int64

    /// Ids of affected admissions that are named; beyond it they are only counted.
    static let admissionsNamedMax = 100

    /// - Parameters:
    ///   - catalog: the snapshot in force, for `boundaryPassed`.
    ///   - recount: see `SliceRecounting.make`.
    ///   - limits: the rule of the pipeline, as it is under a snapshot; asked for the snapshots
    ///     before and after, once per call.
    package init(
        ledger: any LedgerQueries & LedgerControl, catalog: CurrentCatalog,
        settings: MeteringSettings, recount: @escaping SliceRecount,
        limits: @escaping @Sendable (CatalogSnapshot) -> LimitRule = { _ in
            { quota, _, _ in quota.limit }
        }
    ) {
        self.ledger = ledger
        self.catalog = catalog
        self.recount = recount
        self.limits = limits
        // Events may be that far ahead of the log, and the log's clock ahead of ours.
        aheadSeconds = settings.maximumAheadSeconds + 3_600
    }

    /// - Parameters:
    ///   - changed: customer numbers.
    ///   - since: the earliest instant at which anything is different; nil: nothing before `now` is.
    /// - Throws: what the ledger throws; then the call may be repeated. When the log could not be
    ///   read, everything is done but for parts of hours, which a recount will list as drift.
    package func restate(
        old: CatalogSnapshot, new: CatalogSnapshot, changed: [Int], since: Timestamp?,
        requestID: String, now: Timestamp
    ) throws(LedgerError) -> Restatement {
        try RestatementRun(
            self, old: old, new: new, requestID: requestID, now: now, isDryRun: false
        ).run(changed, since: since)
    }

    /// What `restate` would answer; writes nothing. Safe beside the pipeline, whose commits may
    /// then fall in between.
    package func preview(
        old: CatalogSnapshot, new: CatalogSnapshot, changed: [Int], since: Timestamp?,
        requestID: String, now: Timestamp
    ) throws(LedgerError) -> Restatement {
        try RestatementRun(
            self, old: old, new: new, requestID: requestID, now: now, isDryRun: true
        ).run(changed, since: since)
    }

    /// A change scheduled earlier has just taken effect for some customers: their crossings of the
    /// current periods follow, and current rows that are missing are made. Safe to call at any time,
    /// between commits.
    package func boundaryPassed(
        changed: [Int], now: Timestamp
    ) throws(LedgerError) -> Restatement {
        let snapshot = catalog.load()
        return try RestatementRun(
            self, old: snapshot, new: snapshot, requestID: "", now: now, isDryRun: false
        ).followUp(changed)
    }
}

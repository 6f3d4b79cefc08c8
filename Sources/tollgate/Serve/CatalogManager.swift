import Enforcement
import Entitlements
import Foundation
import Logging
import Metering
import MeteringModel
import MeteringPorts
import Synchronization
import YAMLCatalog

/// Applies catalog documents: validate, compile, store, switch over between two commits.
final class CatalogManager: CatalogAdministration {
    let current: CurrentCatalog
    private let ledger: any LedgerControl & LedgerQueries
    private let hash: KeyHash
    private let clock: WallClock
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var revision: Int64
        var document: String?
        var apply: (@Sendable (CatalogSnapshot) async -> Void)?
    }

    init(
        ledger: any LedgerControl & LedgerQueries, hash: KeyHash, clock: WallClock, logger: Logger
    ) throws {
        self.ledger = ledger
        self.hash = hash
        self.clock = clock
        self.logger = logger
        let stored = try ledger.latestCatalog()
        state = Mutex(State(revision: stored?.revision ?? 0, document: stored?.document))
        if let stored {
            let snapshot = try Self.compile(
                stored.document, revision: stored.revision, hash: hash, ledger: ledger)
            current = CurrentCatalog(snapshot)
        } else {
            let empty = CatalogSnapshot.compile(
                Catalog(), revision: 0, hash: hash, planVersion: { _ in 0 }, zone: { _ in nil })
            current = CurrentCatalog(try empty.get())
        }
    }

    /// Called once everything that depends on the catalog is running.
    func onApply(_ body: @escaping @Sendable (CatalogSnapshot) async -> Void) {
        state.withLock { $0.apply = body }
    }

    func currentDocument() -> (revision: Int64, yaml: String)? {
        state.withLock { state in state.document.map { (state.revision, $0) } }
    }

    func apply(_ yaml: String, dryRun: Bool) async throws(CatalogProblems) -> CatalogChange {
        let old = current.load()
        let before = state.withLock { $0.revision }
        let next: CatalogSnapshot
        do {
            next = try Self.compile(
                yaml, revision: before + 1, hash: hash, ledger: dryRun ? nil : ledger)
        } catch let problems as CatalogProblems {
            throw problems
        } catch {
            throw CatalogProblems([.init(line: 0, column: 0, message: "\(error)")])
        }
        if let problem = Self.refusal(old.catalog, next.catalog) {
            throw CatalogProblems([.init(line: 1, column: 1, message: problem)])
        }
        let lines = CatalogDiff.lines(from: before == 0 ? nil : old.catalog, to: next.catalog)
        if dryRun || lines.isEmpty {
            return CatalogChange(revision: before, lines: lines, isApplied: false)
        }
        let revision: Int64
        do throws(LedgerError) {
            revision = try ledger.saveCatalog(yaml, at: clock.now())
        } catch {
            throw CatalogProblems([
                .init(line: 0, column: 0, message: "cannot store the catalog: \(error.message)")
            ])
        }
        let apply = state.withLock { state in
            state.revision = revision
            state.document = yaml
            return state.apply
        }
        if let apply { await apply(next) } else { current.replace(next) }
        logger.info("catalog revision \(revision) applied, \(lines.count) changes")
        return CatalogChange(revision: revision, lines: lines, isApplied: true)
    }

    /// What no change may do: make the usage on record unreadable, or wipe everything by mistake.
    private static func refusal(_ old: Catalog, _ next: Catalog) -> String? {
        if next.meters.isEmpty, next.features.isEmpty, next.plans.isEmpty, next.customers.isEmpty {
            return "the document is empty; a catalog names meters, features, plans and customers"
        }
        for meter in next.meters {
            guard let before = old.meters.first(where: { $0.key == meter.key }) else { continue }
            if before.aggregation != meter.aggregation || before.scale != meter.scale {
                return
                    "meter \"\(meter.key)\" has usage on record as \(before.aggregation.rawValue) "
                    + "at scale \(before.scale); give the changed meter a new key"
            }
        }
        return nil
    }

    static func compile(
        _ yaml: String, revision: Int64, hash: KeyHash, ledger: (any LedgerControl)?
    ) throws -> CatalogSnapshot {
        let document = try YAMLCatalog.document(yaml)
        // Compiled once without version numbers first: a refused document must not use any up.
        let draft = try document.compile(revision: revision, hash: hash) { _ in 0 }
        guard let ledger else { return draft }
        var versions: [PlanKey: Int] = [:]
        for plan in document.catalog.plans {
            let digest = CatalogDiff.contentDigest(of: plan)
            versions[plan.key] = try ledger.planVersion(plan.key, digest: digest)
        }
        return try document.compile(revision: revision, hash: hash) { versions[$0] ?? 0 }
    }
}

import Enforcement
import Entitlements
import Logging
import Metering
import MeteringModel
import MeteringPorts
import Provisioning

/// Brings changed contracts into force: between two commits of the ledger, so that no commit and no
/// check sees half of a change.
///
/// Order, all of it on the pipeline's thread with everything read committed:
/// 1. usage on record is restated (rows of new periods, crossings, adjustments);
/// 2. the snapshot is replaced;
/// 3. the counters of the changed customers take their new limits;
/// 4. near-limit list and shared store follow.
struct ContractFollowing: Sendable {
    let pipeline: MeteringPipeline
    let board: CounterBoard
    let tracker: UsageTracker
    let restater: Restater
    let quarantine: QuarantineWatch
    let current: CurrentCatalog
    let clock: WallClock
    let logger: Logger

    func publish(_ publication: Publication) async -> Restatement {
        let parts = self
        let restatement = await pipeline.betweenCommits { parts.bringIntoForce(publication) }
        if !publication.changed.isEmpty { await quarantine.wake() }
        return restatement
    }

    private func bringIntoForce(_ publication: Publication) -> Restatement {
        let (old, next) = (current.load(), publication.snapshot)
        var restatement = Restatement()
        do throws(LedgerError) {
            restatement = try restater.restate(
                old: old, new: next, changed: publication.changed, since: publication.since,
                requestID: publication.requestID, now: clock.now())
        } catch {
            // The contract holds all the same; the rows come right with the next recount.
            logger.error(
                "usage could not be restated: \(error.message)",
                metadata: ["request": "\(publication.requestID)"])
        }
        board.replaceCatalog(next, changed: publication.changed)
        tracker.refresh(changed: publication.changed, from: old)
        return restatement
    }

    /// A scheduled change has come: thresholds of the limits now in force, and the counters.
    func boundaryPassed(_ changed: [Int], _ now: Timestamp) async {
        let parts = self
        await pipeline.betweenCommits {
            do throws(LedgerError) {
                _ = try parts.restater.boundaryPassed(changed: changed, now: now)
            } catch {
                parts.logger.error("crossings could not follow a contract: \(error.message)")
            }
            let snapshot = parts.current.load()
            parts.board.adopt(snapshot, snapshot, changed: changed)
            parts.tracker.refresh(changed: changed, from: snapshot)
        }
    }
}

/// Sends quarantined events round again when customers came: once at a time, and not more often
/// than once a second however many contracts change, because it looks through all that waits.
actor QuarantineWatch {
    private static let pause = Duration.seconds(1)

    private let recorder: EventRecorder
    private let logger: Logger
    private var isDue = false
    private var isRunning = false

    init(recorder: EventRecorder, logger: Logger) {
        self.recorder = recorder
        self.logger = logger
    }

    func wake() {
        isDue = true
        if isRunning { return }
        isRunning = true
        Task { await run() }
    }

    private func run() async {
        while isDue {
            isDue = false
            do {
                let count = try await recorder.redrive(kind: .quarantine, limit: 1_000_000)
                if count > 0 { logger.info("\(count) quarantined events have a customer now") }
            } catch {
                logger.warning("quarantine waits: \(error)")
            }
            try? await Task.sleep(for: Self.pause)
        }
        isRunning = false
    }
}

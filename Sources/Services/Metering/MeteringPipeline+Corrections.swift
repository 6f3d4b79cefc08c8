import Foundation
import Logging
import MeteringPorts

extension MeteringPipeline {
    /// Corrections that are settled together.
    private static let pendingMax = 1_000
    private static let retryNanoseconds: UInt64 = 5_000_000_000

    /// Makes the rows anew that pending corrections touch. Called with everything read committed;
    /// looks at the ledger only after a commit with corrections, or a takeover.
    func settleCorrections() {
        let now = DispatchTime.now().uptimeNanoseconds
        guard hasPendingCorrections, let support, now >= nextRecount else { return }
        do throws(LedgerError) {
            while true {
                let pending = try support.ledger.pendingCorrections(limit: Self.pendingMax)
                if pending.isEmpty { break }
                let snapshot = interpreter.snapshot
                let changes = try CorrectionRecount(
                    support: support, snapshot: snapshot, settings: settings,
                    score: CrossingScore(snapshot: snapshot, limit: limit), lender: self
                ).run(pending)
                observer.usageRecounted(changes)
            }
            hasPendingCorrections = false
            setTrouble(nil, prefix: "corrections")
        } catch {
            // They stay pending, and everything else goes on.
            nextRecount = now + Self.retryNanoseconds
            setTrouble("corrections: \(error.message)", prefix: "corrections")
            logger.error("corrected rows could not be made anew: \(error.message)")
        }
    }
}

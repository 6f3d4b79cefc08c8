package import Entitlements
import Foundation
package import Logging
package import MeteringModel
package import MeteringPorts
import Synchronization
import UsageAggregation

/// The way of an event, from the log to the ledger, on one owned thread.
///
/// Order of effects, per stretch of one partition:
/// 1. read and fold in memory (no effect outside; lost on a crash, read again);
/// 2. one ledger transaction with compare-and-set on (position, epoch): the only commit that counts;
/// 3. counters in this process and in the shared store (rebuilt from the ledger when in doubt);
/// 4. the log's own offset commit, for lag tools only.
package final class MeteringPipeline: PartitionAssignmentDelegate, @unchecked Sendable {
    // SAFETY: everything below `threadOwned` is touched only on the pipeline's own thread; the rest
    // is immutable, atomic or behind a Mutex.
    package let counters: MeteringCounters
    package let tail = EventTail()
    private let reader: any EventLogReader
    private let ledger: any UsageLedger
    private let queries: any LedgerQueries
    private let catalog: CurrentCatalog
    let observer: any UsageObserver
    let settings: MeteringSettings
    private let instance: String
    let limit: LimitRule
    let support: CorrectionSupport?
    private let clock: WallClock
    let logger: Logger
    private let isStopping = Atomic<Bool>(false)
    private let finished = DispatchSemaphore(value: 0)
    private let state: Mutex<SharedState>
    /// Set before it starts.
    private var thread: Thread?
    let work = Mutex<[@Sendable (MeteringPipeline) -> Void]>([])

    /// However long commits take, they are not further apart than this.
    private static let commitIntervalNanosecondsMax: UInt64 = 2_000_000_000

    struct SharedState {
        var claims: [Int32: PartitionClaim] = [:]
        var ends: [Int32: Int64] = [:]
        /// When `ends` was asked for: nothing later is known to be complete.
        var endsSeenAt: Timestamp?
        /// Ends as first seen after the start; what lies below them must be counted before the
        /// first answer.
        var firstEnds: [Int32: Int64]?
        var trouble: String?
    }

    // threadOwned
    private var folds: [Int32: PartitionFold] = [:]
    private(set) var interpreter: EventInterpreter
    private var catalogGeneration: Int64
    private var oldestPending: UInt64 = 0
    private var lastFlushNanoseconds: UInt64 = 0
    private var nextPrune: UInt64 = 0
    private var isTailing = false
    private var retention: RollupRetention
    private var overflow: DimensionOverflow
    /// Corrections may wait for their rows to be made anew; not before that instant.
    var hasPendingCorrections = true
    var nextRecount: UInt64 = 0

    /// - Parameters:
    ///   - outbox: told when a meter has met too many sets of dimension values.
    ///   - limit: what crossings are scored by.
    ///   - corrections: nil where single events are never corrected.
    package init(
        reader: any EventLogReader, ledger: any UsageLedger, queries: any LedgerQueries,
        catalog: CurrentCatalog, observer: any UsageObserver, settings: MeteringSettings,
        counters: MeteringCounters, instance: String, clock: WallClock, logger: Logger,
        outbox: (any NotificationOutbox)? = nil,
        limit: @escaping LimitRule = { quota, _, _ in quota.limit },
        corrections: CorrectionSupport? = nil
    ) {
        support = corrections
        self.reader = reader
        self.ledger = ledger
        self.queries = queries
        self.catalog = catalog
        self.observer = observer
        self.settings = settings
        self.counters = counters
        self.instance = instance
        self.limit = limit
        self.clock = clock
        self.logger = logger
        state = Mutex(SharedState())
        catalogGeneration = catalog.generation
        interpreter = EventInterpreter(
            snapshot: catalog.load(), settings: settings, counters: counters, instance: instance,
            dedupe: DedupeIndex(windowSeconds: settings.dedupeWindowSeconds),
            sets: DimensionSets())
        retention = RollupRetention(
            ledger: ledger, queries: queries, settings: settings, logger: logger)
        overflow = DimensionOverflow(
            outbox: outbox, counters: counters, logger: logger, clock: clock)
    }

    package func start() {
        reader.assignmentDelegate = self
        let thread = Thread { [self] in
            run()
            finished.signal()
        }
        self.thread = thread
        thread.name = "tollgate-metering"
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Commits what has been read, leaves the log, and returns when the thread has ended.
    package func stop() async {
        isStopping.store(true, ordering: .releasing)
        await BlockingWork.run("tollgate-stop") { [self] in
            finished.wait()
            finished.signal()
        }
    }

    /// Lends the identities that are remembered to `body`, which gives them back with nothing new
    /// among them. Does nothing when called from another thread than the pipeline's.
    func lendIdentities(_ body: (consuming DedupeIndex) -> DedupeIndex) {
        guard let thread, Thread.current === thread else { return }
        interpreter.dedupe = body(interpreter.takeDedupe())
    }

    // MARK: what others may ask

    package var trouble: String? { state.withLock { $0.trouble } }

    /// Positions as committed, by partition.
    package var positions: [PartitionClaim] {
        state.withLock { $0.claims.values.sorted { $0.partition < $1.partition } }
    }

    /// Records between the ledger's positions and the end of the log, as last seen.
    package var lag: Int64 {
        state.withLock { shared in
            shared.claims.values.reduce(0) { sum, claim in
                sum + max(0, (shared.ends[claim.partition] ?? claim.nextOffset) - claim.nextOffset)
            }
        }
    }

    /// True once partitions are assigned and every record present at the start is in the ledger.
    /// Records that keep coming do not count.
    package var hasCaughtUp: Bool {
        state.withLock { shared in
            guard let ends = shared.firstEnds, !shared.claims.isEmpty else { return false }
            return shared.claims.values.allSatisfy { claim in
                claim.nextOffset >= ends[claim.partition] ?? 0
            }
        }
    }

    /// Events appended before this instant are in the ledger and the counters.
    package var completeTo: Timestamp? {
        let stored = counters.completeToMicroseconds.load(ordering: .relaxed)
        let committed = stored == 0 ? nil : Timestamp(microseconds: stored)
        guard lag == 0, let seen = state.withLock({ $0.claims.isEmpty ? nil : $0.endsSeenAt })
        else { return committed }
        return committed.map { max($0, seen) } ?? seen
    }

    // MARK: the thread

    private func run() {
        var nextLook: UInt64 = 0
        while !isStopping.load(ordering: .acquiring) {
            guard fillMonths() else { continue }
            runWork()
            adoptCatalog()
            if observer.wantsRebuild, !positions.isEmpty {
                flushAll()
                observer.rebuild(positions: (try? queries.positions()) ?? positions)
            }
            let read = readSome()
            let now = DispatchTime.now().uptimeNanoseconds
            if shouldCommit(now) { flushAll() }
            if read == 0 || now >= nextLook {
                lookAround(now)
                nextLook = now + 1_000_000_000
            }
        }
        flushAll()
        reader.close()
        runWork()
    }

    /// Tries until the ledger has its months.
    private func fillMonths() -> Bool {
        do throws(LedgerError) {
            try retention.fillMonths(catalog.load())
            return true
        } catch {
            setTrouble("ledger: \(error.message)", prefix: "ledger")
            Thread.sleep(forTimeInterval: 0.25)
            return false
        }
    }

    private func readSome() -> Int {
        isTailing = tail.isWatched
        do throws(EventLogError) {
            let count = try reader.poll(
                maxRecords: 10_000, timeoutMilliseconds: settings.commitIntervalMilliseconds / 2
            ) { info, headers, value in
                self.record(info, headers, value)
            }
            setTrouble(nil, prefix: "event log")
            return count
        } catch {
            setTrouble("event log: \(error.message)", prefix: "event log")
            Thread.sleep(forTimeInterval: error.isRetriable ? 0.2 : 1)
            return 0
        }
    }

    private func record(_ info: LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) {
        guard let fold = folds[info.partition] else { return }
        // A record below the position has been counted; some clients hand such records over again.
        guard info.offset >= fold.nextOffset else { return }
        if fold.magnitude > 1 << 61 || fold.setAsideBytes > 32 << 20 { commit(fold) }
        if !fold.isDirty, oldestPending == 0 {
            oldestPending = DispatchTime.now().uptimeNanoseconds
        }
        if isTailing { tail.note(info, value) }
        interpreter.interpret(info, headers, value, into: fold)
    }

    private func shouldCommit(_ now: UInt64) -> Bool {
        guard oldestPending != 0 else { return false }
        // Under a backlog commits take long: then they are made rarer, so that reading gets four
        // fifths of the time and more events fall on each row that is written.
        let interval = max(
            UInt64(settings.commitIntervalMilliseconds) * 1_000_000,
            min(lastFlushNanoseconds * 4, Self.commitIntervalNanosecondsMax))
        if now &- oldestPending >= interval { return true }
        return folds.values.contains { $0.recordCount >= settings.commitRecordCount }
    }

    /// Once idle, or once a second: how far the log goes, and what has grown old.
    private func lookAround(_ now: UInt64) {
        let asked = clock.now()
        if let ends = try? reader.endOffsets() {
            state.withLock { shared in
                shared.ends = ends
                shared.endsSeenAt = asked
                if shared.firstEnds == nil, !shared.claims.isEmpty { shared.firstEnds = ends }
            }
        }
        if now > nextPrune {
            nextPrune = now + 600_000_000_000
            let today = clock.now()
            let horizon = settings.dedupeWindowSeconds + settings.dedupeWindowSeconds / 4
            try? ledger.prune(
                dedupeBefore: today.adding(seconds: -horizon),
                admissionsBefore: today.adding(seconds: -horizon))
            retention.look(now: today)
            // By the log's time: a log that is read from its beginning again decides as it did.
            if let complete = folds.values.map(\.completeTo).min() {
                interpreter.dimensions.sets.removeAll(
                    before: retention.forgetSets(complete: min(complete, today)))
            }
        }
        retention.step()
    }

    // MARK: committing

    func flushAll() {
        let start = DispatchTime.now().uptimeNanoseconds
        let dirty = folds.keys.sorted().compactMap { folds[$0] }.filter(\.isDirty)
        if dirty.count > 1 { commitTogether(dirty) }
        // What did not get in together, each by itself and until it is settled.
        for fold in dirty where fold.isDirty { commit(fold) }
        oldestPending = 0
        lastFlushNanoseconds = DispatchTime.now().uptimeNanoseconds - start
        let snapshot = interpreter.snapshot
        overflow.note(interpreter.dimensions.sets.takeOverflows(), key: snapshot.hash) { meter in
            snapshot.meterIndex(meter).map { snapshot.meters[$0].groupsMax }
        }
        if folds.values.allSatisfy({ !$0.isDirty }) {
            interpreter.dimensions.removeAll()
            settleCorrections()
        }
    }

    /// Tries once. Folds whose batch the ledger does not take stay dirty.
    private func commitTogether(_ dirty: [PartitionFold]) {
        let score = CrossingScore(snapshot: interpreter.snapshot, limit: limit)
        let builder = BatchBuilder(interpreter.segments, settings)
        let built = dirty.map { builder.build($0, dimensions: interpreter.dimensions) }
        let start = DispatchTime.now().uptimeNanoseconds
        let results = ledger.commitAll(built.map(\.batch)) { index, change in
            score.crossings(of: change, at: built[index].batch.completeTo)
        }
        let spent = (DispatchTime.now().uptimeNanoseconds - start) / 1_000
        counters.commitMicrosecondsTotal.add(Int64(spent), ordering: .relaxed)
        for (index, result) in results.enumerated() {
            switch result {
            case .success(let done):
                finish(dirty[index], built[index].batch, done, built[index].admittedHere)
            case .failure: counters.commitFailures.add(1, ordering: .relaxed)
            }
        }
    }

    /// Tries until the ledger has the batch, or has another owner's.
    private func commit(_ fold: PartitionFold) {
        let score = CrossingScore(snapshot: interpreter.snapshot, limit: limit)
        let builder = BatchBuilder(interpreter.segments, settings)
        var (batch, admittedHere) = builder.build(fold, dimensions: interpreter.dimensions)
        var attempt = 0
        while true {
            let start = DispatchTime.now().uptimeNanoseconds
            do throws(LedgerError) {
                let done = try ledger.commit(batch) { change in
                    score.crossings(of: change, at: batch.completeTo)
                }
                let spent = (DispatchTime.now().uptimeNanoseconds - start) / 1_000
                counters.commitMicrosecondsTotal.add(Int64(spent), ordering: .relaxed)
                finish(fold, batch, done, admittedHere)
                return
            } catch {
                counters.commitFailures.add(1, ordering: .relaxed)
                switch error.code {
                case .fenced:
                    resolveFenced(fold, batch)
                    return
                case .overflow, .misconfigured:
                    batch = OverflowGuard(queries: queries).withoutOverflow(batch)
                default:
                    attempt += 1
                    setTrouble("ledger: \(error.message)", prefix: "ledger")
                    if attempt == 1 { logger.error("ledger commit failed: \(error.message)") }
                    if isStopping.load(ordering: .acquiring), attempt > 20 { return }
                    Thread.sleep(forTimeInterval: 0.25)
                }
            }
        }
    }

    private func finish(
        _ fold: PartitionFold, _ batch: LedgerBatch, _ done: LedgerCommit,
        _ admittedHere: [UsageKey: Int64]
    ) {
        fold.committed()
        if !batch.corrections.isEmpty { hasPendingCorrections = true }
        setTrouble(nil, prefix: "ledger")
        counters.commits.add(1, ordering: .relaxed)
        counters.crossings.add(Int64(done.newCrossings.count), ordering: .relaxed)
        counters.completeToMicroseconds.store(
            max(
                batch.completeTo.microseconds,
                counters.completeToMicroseconds.load(ordering: .relaxed)), ordering: .relaxed)
        state.withLock { $0.claims[fold.partition]?.nextOffset = batch.nextOffset }
        var usage = CommittedUsage(
            partition: batch.partition, epoch: batch.epoch, baseOffset: batch.baseOffset,
            nextOffset: batch.nextOffset, completeTo: batch.completeTo,
            changes: done.changes.mergedByRow(), admittedHere: admittedHere,
            newCrossings: done.newCrossings, reservations: batch.reservations,
            admissions: batch.admissions)
        usage.corrected = done.corrected.mergedByRow()
        observer.usageCommitted(usage)
        reader.commitInformational([batch.partition: batch.nextOffset])
    }

    /// Fenced by ourselves (a commit that took effect though it reported an error) or by another.
    private func resolveFenced(_ fold: PartitionFold, _ batch: LedgerBatch) {
        let stored = (try? queries.positions())?.first { $0.partition == fold.partition }
        if let stored, stored.epoch == batch.epoch, stored.nextOffset == batch.nextOffset {
            fold.committed()
            state.withLock { $0.claims[fold.partition] = stored }
            observer.partitionsClaimed([stored])
            return
        }
        logger.error(
            "partition \(fold.partition) is owned by another process now; this one stops counting it"
        )
        drop(fold)
    }

    private func drop(_ fold: PartitionFold) {
        for mark in fold.marks {
            interpreter.dedupe.forget(
                mark.fingerprint, mark: UInt64(bitPattern: mark.offset), partition: fold.partition)
        }
        folds[fold.partition] = nil
        state.withLock {
            $0.claims[fold.partition] = nil
            $0.ends[fold.partition] = nil
        }
    }

    // MARK: catalog and partitions

    private func adoptCatalog() {
        let generation = catalog.generation
        guard generation != catalogGeneration else { return }
        flushAll()
        catalogGeneration = generation
        let next = catalog.load()
        if interpreter.adopt(next) { return }
        interpreter = EventInterpreter(
            snapshot: next, settings: settings, counters: counters, instance: instance,
            dedupe: interpreter.takeDedupe(), sets: interpreter.dimensions.sets)
    }

    package func partitionsAssigned(
        _ partitions: [Int32]
    ) throws(EventLogError) -> [Int32: Int64] {
        do throws(LedgerError) {
            let claims = try ledger.claim(partitions)
            let since = clock.now().adding(
                seconds: -settings.dedupeWindowSeconds - settings.dedupeWindowSeconds / 4)
            for claim in claims {
                let interpreter = interpreter
                try ledger.dedupeMarks(partition: claim.partition, since: since) { mark, at in
                    interpreter.dedupe.restore(
                        mark.fingerprint, mark: UInt64(bitPattern: mark.offset),
                        partition: claim.partition, at: at)
                }
                folds[claim.partition] = PartitionFold(claim: claim)
                hasPendingCorrections = true
                state.withLock { $0.claims[claim.partition] = claim }
                if let complete = claim.completeTo {
                    counters.completeToMicroseconds.store(
                        complete.microseconds, ordering: .relaxed)
                }
            }
            for set in try queries.dimensionSets(since: .min) {
                interpreter.dimensions.sets.restore(set)
            }
            observer.partitionsClaimed(claims)
            logger.info(
                "partitions taken over",
                metadata: [
                    "positions":
                        "\(claims.map { "\($0.partition)@\($0.nextOffset)" }.joined(separator: " "))"
                ])
            return Dictionary(uniqueKeysWithValues: claims.map { ($0.partition, $0.nextOffset) })
        } catch {
            throw EventLogError(
                code: .misconfigured, message: "cannot take partitions over: \(error.message)",
                isRetriable: error.isRetriable)
        }
    }

    package func partitionsRevoked(_ partitions: [Int32], isLost: Bool) {
        for partition in partitions {
            guard let fold = folds[partition] else { continue }
            if !isLost, fold.isDirty { commit(fold) }
            drop(fold)
        }
    }

    func setTrouble(_ text: String?, prefix: String) {
        state.withLock { shared in
            if let text {
                shared.trouble = text
            } else if shared.trouble?.hasPrefix(prefix) == true {
                shared.trouble = nil
            }
        }
    }
}

package import Entitlements
package import Logging
package import MeteringModel
package import MeteringPorts

/// Carries commands out, one after the other, in the order of their coming. Effects, in order:
///
/// 1. A known idempotency key gives the stored answer; nothing else happens.
/// 2. The command's body writes a draft. A problem ends it; nothing was changed.
/// 3. Every customer that the draft touches is checked and compiled with it.
/// 4. One transaction stores the changes, the records, the audit rows and the answer. From here on
///    the change is durable: after a crash the snapshot is built from the store with it.
/// 5. The snapshot comes into force, between two commits of the ledger.
/// 6. The command is answered.
package actor ControlEngine {
    package nonisolated let store: any ControlStore
    package nonisolated let current: CurrentCatalog
    package nonisolated let clock: WallClock
    package nonisolated let zone: @Sendable (String) -> TimeZoneRules?
    package nonisolated let logger: Logger
    package nonisolated let seats: SeatBook
    package nonisolated let schedule: BoundarySchedule

    /// A command is worked out anew when another process was faster, but not for ever.
    private static let attemptsMax = 8

    var gate = FIFOGate()
    /// The last change that the engine has taken in.
    var revision: Int64
    var definitions: Catalog
    var publisher: Publisher?
    /// Customers who are in the store and do not compile: nobody has heard of them until they are
    /// mended.
    private(set) var leftOut: [CustomerID: ControlProblem]

    init(
        store: any ControlStore, built: SnapshotBuilder.Built, seats: SeatBook, clock: WallClock,
        zone: @escaping @Sendable (String) -> TimeZoneRules?, logger: Logger
    ) {
        self.store = store
        self.seats = seats
        self.clock = clock
        self.zone = zone
        self.logger = logger
        current = CurrentCatalog(built.snapshot)
        revision = built.revision
        definitions = built.definitions
        leftOut = built.leftOut
        schedule = BoundarySchedule()
        schedule.note(0..<built.snapshot.customerCount, of: built.snapshot, after: clock.now())
    }

    /// Builds the first snapshot from all that the store holds. A customer who does not compile is
    /// left out, with an error in the log: the others go on.
    /// - Parameter hash: the installation's key, for the snapshot's look-up tables.
    /// - Throws: `unavailable` when the store cannot be read; what is wrong with its content.
    package static func open(
        store: any ControlStore, hash: KeyHash,
        zone: @escaping @Sendable (String) -> TimeZoneRules?, clock: WallClock, logger: Logger
    ) async throws(ControlProblem) -> ControlEngine {
        let built = try SnapshotBuilder.build(store, hash: hash, zone: zone)
        for (customer, problem) in built.leftOut.sorted(by: { $0.key < $1.key }) {
            logger.error(
                """
                customer "\(customer)" is left out, and denied everything as an unknown one: \
                \(problem.detail). Change or delete the record at fault (PATCH or DELETE /v1/…), \
                or take the change out that made it so (POST /v1/changes/REQUEST/undo; \
                GET /v1/audit?customer=\(customer) lists them)
                """,
                metadata: ["code": "\(problem.code)", "field": "\(problem.field ?? "")"])
        }
        let seats = try SeatBook.open(store, now: clock.now())
        logger.info(
            "control plane at revision \(built.revision)",
            metadata: ["customers": "\(built.snapshot.customerCount)"])
        return ControlEngine(
            store: store, built: built, seats: seats, clock: clock, zone: zone, logger: logger)
    }

    /// Who brings snapshots into force from now on; until then they just replace the one before.
    package func publish(by publisher: @escaping Publisher) { self.publisher = publisher }

    /// Runs one command.
    ///
    /// - Parameters:
    ///   - digest: of method, path, query and body: what an idempotency key stands for.
    ///   - webhook: whose effect this is; stored with the changes, as is `progress`.
    ///   - body: works the command out on a draft. It runs again when another process committed in
    ///     between, so it changes nothing else.
    /// - Returns: the body's answer with the member `change`, once every later check sees it.
    package func run(
        _ context: CommandContext, digest: String, webhook: Webhook? = nil,
        progress: ImportProgress? = nil,
        body: @Sendable (inout ControlDraft) throws(ControlProblem) -> ControlAnswer
    ) async throws(ControlProblem) -> ControlAnswer {
        if let reason = context.reason { try ControlProblem.requireReason(reason) }
        try requireRoom()
        await enter()
        defer { gate.leave() }
        for _ in 0..<Self.attemptsMax {
            if let known = try storedAnswer(context, digest) { return known }
            var draft = draft(context)
            draft.webhook = webhook
            draft.progress = progress
            var answer = try body(&draft)
            let checked = try check(draft)
            answer.tell(draft)
            if context.isDryRun { return answer }
            let stored = Self.stored(answer, context, digest, at: draft.now)
            guard try commit(draft, stored) else {
                await catchUp()
                continue
            }
            let restatement = await take(draft, checked)
            guard let restatement, !restatement.isEmpty else { return answer }
            answer.tell(restatement)
            keep(Self.stored(answer, context, digest, at: draft.now))
            return answer
        }
        throw ControlProblem(
            .unavailable, "busy", "other processes keep changing the control plane; try again")
    }

    // MARK: parts

    /// - Throws: `overloaded` while too many commands wait.
    func requireRoom() throws(ControlProblem) {
        if !gate.isFull { return }
        throw ControlProblem(
            .unavailable, "overloaded",
            "\(FIFOGate.waitingMax) commands are waiting; try again in a moment")
    }

    func enter() async {
        if gate.enter() { return }
        await withCheckedContinuation { gate.wait($0) }
    }

    func draft(_ context: CommandContext) -> ControlDraft {
        ControlDraft(
            context: context, now: clock.now(), snapshot: current.load(), base: revision,
            definitions: definitions, store: store, zone: zone)
    }

    /// False: the store has changes that this engine has not taken in.
    private func commit(
        _ draft: ControlDraft, _ answer: StoredAnswer?
    ) throws(ControlProblem) -> Bool {
        if draft.changes.isEmpty, answer == nil, draft.webhook == nil, draft.progress == nil {
            return true
        }
        let commit = ControlCommit(
            base: draft.base, changes: draft.changes, answer: answer,
            webhook: draft.webhook.map { ($0.source, $0.id) }, progress: draft.progress)
        do throws(ControlStoreError) {
            _ = try store.commit(commit)
            return true
        } catch {
            if error.code == .conflict { return false }
            throw .store(error)
        }
    }

    /// Takes a committed draft in: definitions, seats, snapshot.
    private func take(_ draft: ControlDraft, _ checked: SnapshotBuilder.Update?) async
        -> Restatement?
    {
        guard !draft.changes.isEmpty else { return nil }
        revision = draft.base + Int64(draft.changes.count)
        seats.take(draft.changes)
        // Also where nothing compiled depends on them: the mapping of Stripe's prices.
        definitions = draft.definitions
        guard let checked else { return nil }
        return await bringIntoForce(
            checked, since: ChangeReach.earliest(of: draft.changes, now: draft.now),
            requestID: draft.context.requestID)
    }

    private func noteMended(_ update: SnapshotBuilder.Update) {
        if leftOut.isEmpty { return }
        if let still = update.leftOut {
            leftOut = leftOut.filter { still.contains($0.key) }
        } else {
            for number in update.changed { leftOut[update.snapshot.customer(number).id] = nil }
        }
    }

    /// Publishes. Whatever the publisher does, the snapshot is in force afterwards.
    func bringIntoForce(
        _ update: SnapshotBuilder.Update, since: Timestamp?, requestID: String
    ) async -> Restatement? {
        let old = current.load()
        noteMended(update)
        schedule.note(update.changed, of: update.snapshot, after: clock.now())
        var restatement: Restatement?
        if let publisher {
            restatement = await publisher(
                Publication(
                    old: old, snapshot: update.snapshot, changed: update.changed,
                    definitionsChanged: update.definitionsChanged, since: since,
                    requestID: requestID))
        }
        if current.load() !== update.snapshot {
            if publisher != nil {
                logger.error("a snapshot was not brought into force by its publisher")
            }
            current.replace(update.snapshot)
        }
        return restatement
    }
}

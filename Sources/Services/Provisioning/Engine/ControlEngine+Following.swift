import Entitlements
import Logging
package import MeteringModel
import MeteringPorts

extension ControlEngine {
    /// How often the store is asked whether another process changed it.
    package static let followInterval: Duration = .milliseconds(250)
    /// The longest time without a look at the schedule of boundaries.
    package static let boundaryInterval: Duration = .milliseconds(250)

    /// Takes in what other processes commit to the same store, until the task is cancelled. Asking
    /// costs next to nothing while nothing changed.
    package func follow(
        every interval: Duration = followInterval,
        sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) async {
        while !Task.isCancelled {
            if store.revision != revision {
                await enter()
                await catchUp()
                gate.leave()
            }
            do { try await sleep(interval) } catch { return }
        }
    }

    /// Takes in all changes that the engine does not have. Called with the gate held.
    func catchUp() async {
        do throws(ControlProblem) {
            while true {
                let rows = try self.rows(after: revision)
                guard let last = rows.last else { return }
                try await take(rows.map(\.change), upTo: last.change.sequence)
            }
        } catch {
            logger.error("changes of another process cannot be taken in: \(error.detail)")
        }
    }

    private func rows(after sequence: Int64) throws(ControlProblem) -> [AuditRow] {
        do throws(ControlStoreError) {
            return try store.changes(AuditFilter(), after: sequence, limit: 5_000)
        } catch {
            throw .store(error)
        }
    }

    private func take(
        _ changes: [ControlChange], upTo sequence: Int64
    ) async throws(ControlProblem) {
        let context = CommandContext(principal: .local, requestID: changes.last?.requestID ?? "")
        let draft = draft(context)
        var customers: Set<CustomerID> = []
        for change in changes where change.kind.isContract {
            if let customer = change.customer { customers.insert(customer) }
        }
        let next =
            changes.contains { $0.kind.isCatalog }
            ? try SnapshotBuilder.definitions(of: store) : definitions
        let reading = ControlDraft(
            context: context, now: draft.now, snapshot: draft.snapshot, base: sequence,
            definitions: next, store: store, zone: zone)
        let contracts = try SnapshotBuilder.contracts(of: customers, in: reading)
        var update: SnapshotBuilder.Update?
        if changes.contains(where: { $0.kind.isCatalog && $0.kind != .integration }) {
            update = try SnapshotBuilder.rebuild(
                current.load(), contracts, definitions: next, revision: sequence,
                leftOut: Set(leftOut.keys), store: store, zone: zone)
        } else if !customers.isEmpty {
            update = try SnapshotBuilder.update(
                current.load(), contracts, definitions: next, revision: sequence)
        }
        revision = sequence
        definitions = next
        seats.take(changes)
        guard let update else { return }
        _ = await bringIntoForce(
            update, since: ChangeReach.earliest(of: changes, now: draft.now),
            requestID: context.requestID)
    }

    /// Gives a customer counters for an environment that a question named and that it has none for
    /// yet: its twin. Only the engine may do this, because numbers of customers are given one after
    /// the other.
    package func addTwin(of customer: CustomerID, _ environment: Environment) async {
        await enter()
        defer { gate.leave() }
        let old = current.load()
        guard let number = old.customerIndex(customer), !old.customer(number).isRemoved,
            old.customerIndex(number, environment: environment) == nil
        else { return }
        let update = old.adding(environment, of: number)
        _ = await bringIntoForce(
            SnapshotBuilder.Update(
                snapshot: update.snapshot, changed: update.changed, definitionsChanged: false),
            since: nil, requestID: "")
    }

    /// Calls `boundary` with the customers whose entitlements changed by themselves, soon after
    /// each instant at which some do, until the task is cancelled.
    package nonisolated func watchBoundaries(
        every interval: Duration = boundaryInterval,
        sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        boundary: @Sendable ([Int], Timestamp) async -> Void
    ) async {
        while !Task.isCancelled {
            let now = clock.now()
            let due = schedule.due(at: now, of: current.load())
            if !due.isEmpty { await boundary(due, now) }
            var pause = interval
            if let next = schedule.next {
                let left = max(0, next.microseconds(since: clock.now()))
                pause = min(pause, .microseconds(left))
            }
            do { try await sleep(max(pause, .milliseconds(1))) } catch { return }
        }
    }
}

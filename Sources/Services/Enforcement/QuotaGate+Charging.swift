import Entitlements
import MeteringModel
import MeteringPorts
import QuotaEngine

extension QuotaGate {
    enum Grant {
        /// With the decision as it read right after.
        case charged(Charge, Decision)
        case denied(Decision)
    }

    private enum Taken {
        case taken(Charge.Level)
        /// With the answer, when it is another than the quota's.
        case refused(Decision?)
    }

    /// Takes the units on every level, the customer's own first, or on none: what a refusal further
    /// up has taken below it goes back. The refusing level answers.
    func charge(
        _ question: EntitlementQuestion, _ quantity: Int64
    ) async throws(GateError) -> Grant {
        for _ in 0..<Self.resolvingAttemptsMax {
            let path: QuotaPath
            switch try resolve(question) {
            case .settled(let decision): return .denied(decision)
            case .metered(let found): path = found
            }
            do throws(LedgerError) {
                return try await charge(path, quantity)
            } catch {
                // The contract changed under the question: ask the new one.
                if error.code == .busy { continue }
                throw GateError(code: .unavailable, message: error.message)
            }
        }
        throw GateError(code: .unavailable, message: CounterBoard.restless.message)
    }

    private func charge(_ path: QuotaPath, _ quantity: Int64) async throws(LedgerError) -> Grant {
        var charge = Charge(path: path, quantity: quantity)
        for level in path.levels {
            do throws(LedgerError) {
                switch try await take(level, quantity, path) {
                case .taken(let taken): charge.levels.append(taken)
                case .refused(let answer):
                    let decision: Decision
                    if let answer {
                        decision = answer
                    } else {
                        decision = try denial(level, quantity, path)
                    }
                    await giveBack(charge)
                    return .denied(decision)
                }
            } catch {
                await giveBack(charge)
                throw error
            }
        }
        do throws(LedgerError) { return .charged(charge, try charged(charge)) } catch {
            // Its contract changed right after: it is charged anew under the new one.
            await giveBack(charge)
            throw error
        }
    }

    /// Undoes a charge: no event of it is, or ever will be, in the log.
    func giveBack(_ charge: Charge) async {
        for level in charge.levels.reversed() {
            board.refund(level.located.key, charge.quantity, period: level.period)
            switch level.backing {
            case .local: break
            case .store:
                await shared?.giveBack(
                    Self.sharedKey(level.row, level.located.root), charge.quantity)
            case .allowance:
                shared?.returnAllowance(level.located.key, charge.quantity)
            }
        }
    }

    /// Takes the units of one level: from the shared store where there is one, and from this
    /// process's counter.
    private func take(
        _ located: CounterBoard.Located, _ quantity: Int64, _ path: QuotaPath
    ) async throws(LedgerError) -> Taken {
        var backing = Charge.Level.Backing.local
        var isForced = false
        var stored: Period?
        let root = located.root
        if let shared {
            let reading = try board.reading(located)
            let row = UsageKey(
                customer: located.quota.customer, meter: located.quota.meter,
                period: reading.period)
            switch await shared.admit(Self.sharedKey(row, root), quantity, stop: reading.stop) {
            case .admitted:
                backing = .store
                isForced = true
                stored = reading.period
            case .exhausted: return .refused(nil)
            case .unavailable:
                switch onOutage(located, quantity) {
                case .deny: return .refused(try degraded(path, quantity))
                case .force: isForced = true
                case .ask: break
                case .askWithAllowance: backing = .allowance
                }
            }
        }
        do throws(LedgerError) {
            if let period = try board.charge(located, quantity, force: isForced) {
                let level = Charge.Level(located: located, period: period, backing: backing)
                if let stored, stored != period {
                    // The period ended on the way: the store's units go with the charge.
                    var old = level
                    old.period = stored
                    await shared?.giveBack(Self.sharedKey(old.row, root), quantity)
                    await shared?.giveBack(Self.sharedKey(level.row, root), -quantity)
                }
                return .taken(level)
            }
        } catch {
            if let stored {
                let row = UsageKey(
                    customer: located.quota.customer, meter: located.quota.meter, period: stored)
                await shared?.giveBack(Self.sharedKey(row, root), quantity)
            }
            if backing == .allowance { shared?.returnAllowance(located.key, quantity) }
            throw error
        }
        if backing == .allowance { shared?.returnAllowance(located.key, quantity) }
        return .refused(nil)
    }

    static func sharedKey(_ row: UsageKey, _ root: CustomerID) -> SharedCounterKey {
        SharedCounterKey(root: root, customer: row.customer, meter: row.meter, period: row.period)
    }

    private enum Outage { case deny, ask, askWithAllowance, force }

    /// What the outage policy says; `ask`: go on with what this process knows.
    private func onOutage(_ located: CounterBoard.Located, _ quantity: Int64) -> Outage {
        statistics.outage()
        switch located.quota.onOutage {
        case .closed: return .deny
        case .open: return .force
        case .lastKnown(let seconds):
            return shared?.isFresh(within: seconds) == true ? .ask : .deny
        case .allowance(let units):
            return shared?.spendAllowance(located.key, quantity, of: units) == true
                ? .askWithAllowance : .deny
        }
    }

    private func degraded(
        _ path: QuotaPath, _ quantity: Int64
    ) throws(LedgerError) -> Decision {
        var decision = try decide(path, quantity)
        decision.isAllowed = false
        decision.reason = .degraded
        decision.mode = .stale
        return decision
    }

    /// The answer of the level that refused.
    private func denial(
        _ level: CounterBoard.Located, _ quantity: Int64, _ path: QuotaPath
    ) throws(LedgerError) -> Decision {
        var single = path
        single.first = level
        single.above = []
        var decision = try decide(single, quantity)
        if decision.isAllowed {
            // Units came free between the refusal and this reading; the refusal stands.
            decision.isAllowed = false
            decision.reason = decision.held > 0 ? .held : .exhausted
        }
        return decision
    }

    /// The decision as it reads after the charge.
    func charged(_ charge: Charge) throws(LedgerError) -> Decision {
        var decision = try decide(charge.path, 0)
        decision.isAllowed = true
        decision.isCharged = true
        decision.quantity = charge.quantity
        if decision.overage > 0 {
            decision.reason = .overage
        } else {
            decision.reason = decision.thresholdsCrossed.isEmpty ? .ok : .warning
        }
        let limiting = decision.limitingCustomer ?? charge.path.first.quota.customer
        let level = charge.levels.first { $0.located.quota.customer == limiting }
        decision.period = (level ?? charge.levels.first)?.period
        return decision
    }

    /// Appends the record of a charge; undoes the charge when it is certainly not in the log.
    func write(
        _ record: [UInt8], _ charge: Charge, whenRecorded: @escaping @Sendable () -> Void
    ) async throws(EventLogError) {
        let append = LogAppend(key: charge.path.owner.id.rawValue, value: record)
        if charge.path.quota.durability == .fast {
            let board = board
            recordLater(append) {
                for level in charge.levels {
                    board.refund(level.located.key, charge.quantity, period: level.period)
                }
            }
            return
        }
        do throws(EventLogError) {
            try await self.record(append, whenRecorded: whenRecorded)
        } catch {
            if error.outcome == .notAppended { await giveBack(charge) }
            throw error
        }
    }

    /// The instant of the decision, or the nearest one inside the charged period: the ledger counts
    /// an event in the period of its own time.
    func eventTime(_ instant: Timestamp, in period: Period) -> String {
        let last = Timestamp(microseconds: period.end.microseconds - 1)
        return max(period.start, min(instant, last)).rfc3339(offsetSeconds: 0)
    }
}

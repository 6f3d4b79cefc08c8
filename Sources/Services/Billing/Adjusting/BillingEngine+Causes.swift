import Entitlements
import MeteringModel
import MeteringPorts

/// Following what may make closed months wrong: the ledger's adjustments and corrections, and the
/// control plane's log. Cursor and marks are written together, so each row is followed once, or once more.
extension BillingEngine {
    /// - Returns: how many rows were followed; 0 when there is nothing new.
    @discardableResult
    package func follow() throws(BillingError) -> Int {
        try prepare()
        return try followLedger() + followCorrections() + followContracts()
    }

    private func followLedger() throws(BillingError) -> Int {
        let (store, queries) = (sources.store, sources.queries)
        let cursor = try BillingError.store { () throws(BillingStoreError) in
            try store.cursor(Cursor.adjustments)
        }
        let limit = sources.settings.feedCountMax
        let rows = try BillingError.ledger { () throws(LedgerError) in
            try queries.adjustments(after: cursor, limit: limit)
        }
        guard let last = rows.last else { return 0 }
        let snapshot = sources.catalog.load()
        var marks: [BillingMark] = []
        for row in rows {
            guard let customer = snapshot.billed(row.adjustment.key.customer) else { continue }
            marks += try self.marks(for: row.adjustment, row.sequence, customer)
        }
        let found = marks
        try BillingError.store { () throws(BillingStoreError) in
            try store.note(found, cursor: (Cursor.adjustments, last.sequence))
        }
        return rows.count
    }

    private func marks(
        for adjustment: Adjustment, _ sequence: Int64, _ customer: CompiledCustomer
    ) throws(BillingError) -> [BillingMark] {
        let cause = adjustment.billingCause(sequence)
        let end = Timestamp(microseconds: adjustment.key.period.end.microseconds - 1)
        // What is left of grants follows from all earlier usage.
        let isCarried = customer.segments.contains { segment in
            (0..<segment.quotaCount).contains { !segment.grants(ofQuota: $0).isEmpty }
        }
        let months = try closedMonths(of: customer, from: end)
        let own = BillingMonth(containing: end, zone: customer.zone)
        let last = try sources.hasSeam(near: own, of: customer) ? own.next : own
        return months.filter { isCarried || $0 <= last }
            .map { BillingMark(customer: customer.id, month: $0, cause: cause) }
    }

    /// A correction in a period whose grace is not over is no adjustment to the ledger, but its
    /// month may have been closed by hand.
    private func followCorrections() throws(BillingError) -> Int {
        let (store, queries) = (sources.store, sources.queries)
        let cursor = try BillingError.store { () throws(BillingStoreError) in
            try store.cursor(Cursor.corrections)
        }
        let limit = sources.settings.feedCountMax
        let rows = try BillingError.ledger { () throws(LedgerError) in
            try queries.corrections(customer: nil, after: cursor, limit: limit)
        }
        guard let last = rows.last else { return 0 }
        let snapshot = sources.catalog.load()
        var marks: [BillingMark] = []
        for record in rows.map(\.record) where record.refusal == nil {
            let cause = BillingCause(kind: .correction, id: record.id, at: record.recordedAt)
            for content in [record.removed, record.added].compactMap({ $0 }) {
                for customer in snapshot.withAncestors([content.customer], at: content.at) {
                    marks += try closedMonths(of: customer, from: content.at)
                        .map { BillingMark(customer: customer.id, month: $0, cause: cause) }
                }
            }
        }
        let found = marks
        try BillingError.store { () throws(BillingStoreError) in
            try store.note(found, cursor: (Cursor.corrections, last.sequence))
        }
        return rows.count
    }

    // MARK: contracts

    private func followContracts() throws(BillingError) -> Int {
        let (store, contracts) = (sources.store, sources.contracts)
        let snapshot = sources.catalog.load()
        let cursor = try BillingError.store { () throws(BillingStoreError) in
            try store.cursor(Cursor.audit)
        }
        if cursor >= snapshot.revision { return 0 }
        let limit = sources.settings.feedCountMax
        // What is committed but not in force yet must wait: rated now it would seem to change
        // nothing.
        let rows = try BillingError.control { () throws(ControlStoreError) in
            try contracts.changes(cursor, limit).filter { $0.sequence <= snapshot.revision }
        }
        guard let last = rows.last, let floor else { return 0 }
        var marks: [BillingMark] = []
        for row in rows {
            if let customer = row.customer.flatMap({ snapshot.billed($0) }) {
                try note(customer, floor: floor)
            }
            guard let reach = ChangeReach(row) else { continue }
            let cause = BillingCause(kind: .contractChange, id: row.requestID, at: row.at)
            switch reach.whose {
            case .customers(let ids):
                for customer in snapshot.withAncestors(ids, at: sources.clock.now()) {
                    marks += try closedMonths(of: customer, from: reach.from)
                        .map { BillingMark(customer: customer.id, month: $0, cause: cause) }
                }
            case .all:
                let first = max(floor, BillingMonth(containing: reach.from, zone: .utc).previous)
                try BillingError.store { () throws(BillingStoreError) in
                    try store.noteAll(from: first, cause, cursor: nil)
                }
                try noteSubscribers(from: reach.from, cause, in: snapshot)
            }
        }
        let found = marks
        try BillingError.store { () throws(BillingStoreError) in
            try store.note(found, cursor: (Cursor.audit, last.sequence))
        }
        return rows.count
    }

    /// Months that were closed without a statement too: what was given back may have a price. Noted
    /// in parts before the feed's cursor moves on; noted again, a mark is the same.
    private func noteSubscribers(
        from instant: Timestamp, _ cause: BillingCause, in snapshot: CatalogSnapshot
    ) throws(BillingError) {
        let store = sources.store
        var marks: [BillingMark] = []
        func write() throws(BillingError) {
            let made = marks
            try BillingError.store { () throws(BillingStoreError) in
                try store.note(made, cursor: nil)
            }
            marks = []
        }
        for number in 0..<snapshot.customerCount {
            let customer = snapshot.customer(number)
            guard customer.isBilled, let begins = customer.firstSubscription else { continue }
            marks += try closedMonths(of: customer, from: max(instant, begins))
                .map { BillingMark(customer: customer.id, month: $0, cause: cause) }
            if marks.count >= sources.settings.feedCountMax { try write() }
        }
        if !marks.isEmpty { try write() }
    }

    /// Closed months, or ones being closed, that end after an instant; ascending. The month before
    /// too when one of another zone is near: part of the instant's usage may be billed there.
    func closedMonths(
        of customer: CompiledCustomer, from instant: Timestamp
    ) throws(BillingError) -> [BillingMonth] {
        guard let floor else { return [] }
        let store = sources.store
        var first = max(floor, BillingMonth(containing: instant, zone: customer.zone))
        if floor < first, try sources.hasSeam(near: first, of: customer) { first = first.previous }
        return try closedSoFar.months(of: customer, from: first) { (month) throws(BillingError) in
            try BillingError.store { () throws(BillingStoreError) in
                try store.statement(customer.id, month) != nil
            }
        }
    }
}

extension CatalogSnapshot {
    /// A customer that is billed; nil for twins, other environments, and unknown ones.
    func billed(_ id: CustomerID) -> CompiledCustomer? {
        guard let number = customerIndex(id) else { return nil }
        let found = customer(number)
        return found.isBilled ? found : nil
    }

    /// Customers and all above them, each once.
    func withAncestors(_ ids: [CustomerID], at instant: Timestamp) -> [CompiledCustomer] {
        var found: [Int: CompiledCustomer] = [:]
        for id in ids {
            guard let number = customerIndex(id) else { continue }
            lineage(of: number, at: instant) { ancestor, _ in
                if ancestor.isBilled { found[ancestor.number] = ancestor }
            }
        }
        return found.values.sorted { $0.id < $1.id }
    }
}

extension Adjustment {
    /// - Parameter sequence: the ledger's.
    fileprivate func billingCause(_ sequence: Int64) -> BillingCause {
        if let correction {
            return BillingCause(kind: .correction, id: correction.id, at: recordedAt)
        }
        if let cause {
            return BillingCause(kind: .contractChange, id: cause.requestID, at: recordedAt)
        }
        return BillingCause(kind: .lateUsage, id: String(sequence), at: recordedAt)
    }
}

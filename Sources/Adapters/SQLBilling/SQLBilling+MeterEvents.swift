package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLBilling {
    package func meterEventHistory(
        _ customer: CustomerID, _ meter: MeterKey, from: Timestamp
    ) throws(BillingStoreError) -> MeterEventHistory {
        try store.readTogether { (connection) throws(SQLError) in
            MeterEventHistory(
                account: try connection.meterAccount(customer, meter),
                windows: try connection.meterWindows(customer, meter, from: from),
                credits: try connection.meterCredits(customer, meter),
                base: try connection.lastMeterEvent(customer, meter))
        }
    }

    package func meterEventHistories(
        of customers: [CustomerID], _ meter: MeterKey, from: Timestamp
    ) throws(BillingStoreError) -> [MeterEventHistory] {
        if customers.isEmpty { return [] }
        return try store.readTogether { (connection) throws(SQLError) in
            var histories: [MeterEventHistory] = []
            for customer in customers {
                let account = try connection.meterAccount(customer, meter)
                histories.append(
                    MeterEventHistory(
                        account: account,
                        windows: try connection.meterWindows(
                            customer, meter, from: account?.month ?? from),
                        credits: try connection.meterCredits(customer, meter),
                        base: try connection.lastMeterEvent(customer, meter)))
            }
            return histories
        }
    }

    package func plan(_ plans: [MeterEventPlan]) throws(BillingStoreError) {
        try store.transaction { (connection) throws(BillingStoreError) in
            for plan in plans { try Self.plan(plan, connection) }
        }
    }

    private static func plan(
        _ plan: MeterEventPlan, _ connection: SQLConnection
    ) throws(BillingStoreError) {
        do throws(SQLError) {
            let last = try connection.lastMeterEvent(plan.customer, plan.meter)
            if last == plan.base {
                try connection.put(plan.account, plan.customer, plan.meter)
                for draft in plan.drafts { try connection.insert(draft, at: plan.at) }
                for credit in plan.credits { try connection.put(credit) }
                return
            }
        } catch {
            throw BillingStoreError(error)
        }
        throw BillingStoreError(
            code: .conflict,
            message: "meter events of \(plan.customer) were planned meanwhile",
            isRetriable: true)
    }

    package func meterEvent(
        _ identifier: String
    ) throws(BillingStoreError) -> StoredMeterEvent? {
        try store.read { (connection) throws(SQLError) in try connection.meterEvent(identifier) }
    }

    package func meterEvents(
        state: StoredMeterEvent.State?, customer: CustomerID?, after sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [StoredMeterEvent] {
        try store.read { (connection) throws(SQLError) in
            // Parameters are numbered in the order in which the text names them.
            let filters = [("state", state?.rawValue), ("customer", customer?.rawValue)]
                .filter { $0.1 != nil }
            var conditions = ["sequence > $1"]
            for filter in filters { conditions.append("\(filter.0) = $\(conditions.count + 1)") }
            let query = try connection.statement(
                """
                SELECT \(StoredMeterEvent.columns) FROM meter_events
                WHERE \(conditions.joined(separator: " AND "))
                ORDER BY sequence LIMIT $\(conditions.count + 1)
                """)
            try query.bind(sequence, at: 1)
            for (index, filter) in filters.enumerated() {
                try query.bind(optional: filter.1, at: Int32(index + 2))
            }
            try query.bind(Int64(max(0, limit)), at: Int32(conditions.count + 1))
            return try query.rows { row throws(SQLError) in try StoredMeterEvent(row: row) }
        }
    }

    package func meterEventSummary() throws(BillingStoreError) -> MeterEventSummary {
        try store.readTogether { (connection) throws(SQLError) in
            var counts: [StoredMeterEvent.State: Int64] = [:]
            let query = try connection.statement(
                """
                SELECT state, count(*) FROM meter_events
                WHERE state IN ('planned', 'uncertain', 'refused', 'too_old') GROUP BY state
                """)
            for (text, count) in try query.rows({ ($0.string(at: 0), $0.integer(at: 1)) }) {
                if let state = StoredMeterEvent.State(rawValue: text) { counts[state] = count }
            }
            let oldest = try connection.integer(
                "SELECT min(planned_at) FROM meter_events WHERE state = 'planned'")
            return MeterEventSummary(
                counts: counts, waitingSince: oldest.map(Timestamp.init(microseconds:)))
        }
    }

    package func meterCredits(
        customer: CustomerID?, after: MeterCredit?, limit: Int
    ) throws(BillingStoreError) -> [MeterCredit] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(MeterCredit.columns) FROM meter_credits
                WHERE (customer, meter, month) > ($1, $2, $3)
                    AND ($4 = '' OR customer = $4)
                ORDER BY customer, meter, month LIMIT $5
                """)
            try query.bind(after?.customer.rawValue ?? "", at: 1)
            try query.bind(after?.meter.rawValue ?? "", at: 2)
            try query.bind(after?.month.microseconds ?? .min, at: 3)
            try query.bind(customer?.rawValue ?? "", at: 4)
            try query.bind(Int64(max(0, limit)), at: 5)
            return try query.rows { row in MeterCredit(row: row) }
        }
    }
}

extension SQLConnection {
    fileprivate func meterAccount(
        _ customer: CustomerID, _ meter: MeterKey
    ) throws(SQLError) -> MeterAccount? {
        let query = try statement(
            """
            SELECT counted_from, month, rest FROM meter_accounts WHERE customer = $1 AND meter = $2
            """)
        try query.bind(customer.rawValue, at: 1)
        try query.bind(meter.rawValue, at: 2)
        return try query.rows { row in
            MeterAccount(
                from: row.timestamp(at: 0), month: row.timestamp(at: 1), rest: row.integer(at: 2))
        }.first
    }

    fileprivate func meterWindows(
        _ customer: CustomerID, _ meter: MeterKey, from: Timestamp
    ) throws(SQLError) -> [MeterEventHistory.Window] {
        let query = try statement(
            """
            SELECT window_start, sum(CASE WHEN state = 'replaced' THEN 0 ELSE value END),
                max(revision)
            FROM meter_events WHERE customer = $1 AND meter = $2 AND window_start >= $3
            GROUP BY window_start ORDER BY window_start
            """)
        try query.bind(customer.rawValue, at: 1)
        try query.bind(meter.rawValue, at: 2)
        try query.bind(from.microseconds, at: 3)
        return try query.rows { row in
            MeterEventHistory.Window(
                start: row.timestamp(at: 0), units: row.integer(at: 1),
                lastRevision: Int(row.integer(at: 2)))
        }
    }

    fileprivate func meterCredits(
        _ customer: CustomerID, _ meter: MeterKey
    ) throws(SQLError) -> [MeterCredit] {
        let query = try statement(
            """
            SELECT \(MeterCredit.columns) FROM meter_credits WHERE customer = $1 AND meter = $2
            ORDER BY month
            """)
        try query.bind(customer.rawValue, at: 1)
        try query.bind(meter.rawValue, at: 2)
        return try query.rows { row in MeterCredit(row: row) }
    }

    fileprivate func put(
        _ account: MeterAccount, _ customer: CustomerID, _ meter: MeterKey
    ) throws(SQLError) {
        let upsert = try statement(
            """
            INSERT OR REPLACE INTO meter_accounts (customer, meter, counted_from, month, rest)
            VALUES ($1, $2, $3, $4, $5)
            """)
        try upsert.bind(customer.rawValue, at: 1)
        try upsert.bind(meter.rawValue, at: 2)
        try upsert.bind(account.from.microseconds, at: 3)
        try upsert.bind(account.month.microseconds, at: 4)
        try upsert.bind(account.rest, at: 5)
        try upsert.run()
    }

    fileprivate func put(_ credit: MeterCredit) throws(SQLError) {
        let change = try statement(
            credit.units > 0
                ? """
                INSERT OR REPLACE INTO meter_credits (customer, meter, month, units)
                VALUES ($1, $2, $3, $4)
                """
                : """
                DELETE FROM meter_credits WHERE customer = $1 AND meter = $2 AND month = $3
                """)
        try change.bind(credit.customer.rawValue, at: 1)
        try change.bind(credit.meter.rawValue, at: 2)
        try change.bind(credit.month.microseconds, at: 3)
        if credit.units > 0 { try change.bind(credit.units, at: 4) }
        try change.run()
    }
}

import Entitlements
import MeteringModel
import MeteringPorts

/// Closing a month before its time, by hand.
extension BillingEngine {
    struct HandClosing: Sendable {
        var closed = 0
        var closedBefore = 0
    }

    /// Closes a month of one customer, or of all; what is closed already is passed over. While late
    /// events may still come, each statement is looked at again when they cannot any more.
    /// - Throws: `period_not_over` when the month goes on in the zone of one of them: nothing is
    ///   closed then.
    func closeByHand(
        _ month: BillingMonth, _ customer: CustomerID?, _ context: CommandContext
    ) async throws(ControlProblem) -> HandClosing {
        do throws(BillingError) { try prepare() } catch { throw .billing(error) }
        let closer = Closer(name: context.principal.id, reason: context.reason)
        var closing = HandClosing()
        if let customer {
            guard let found = sources.catalog.load().billed(customer) else {
                throw .notBilled(customer)
            }
            try requireOver(month, found.zone)
            try close([found], month, closer, &closing)
            return closing
        }
        try requireOver(month, in: sources.catalog.load())
        var number = 0
        while true {
            let snapshot = sources.catalog.load()
            var chunk: [CompiledCustomer] = []
            while number < snapshot.customerCount,
                chunk.count < sources.settings.closingCountMax
            {
                let customer = snapshot.customer(number)
                number += 1
                // One who came since then, in a zone that is behind, keeps the month open.
                if customer.isBilled, isOver(month, customer.zone) { chunk.append(customer) }
            }
            if chunk.isEmpty { return closing }
            try close(chunk, month, closer, &closing)
            await Task.yield()
        }
    }

    /// By the contracts themselves: the book of zones learns of a new customer only later.
    private func requireOver(
        _ month: BillingMonth, in snapshot: CatalogSnapshot
    ) throws(ControlProblem) {
        var seen: Set<String> = []
        for number in 0..<snapshot.customerCount {
            let customer = snapshot.customer(number)
            guard customer.isBilled, customer.firstSubscription != nil,
                seen.insert(customer.zone.name).inserted
            else { continue }
            try requireOver(month, customer.zone)
        }
        if seen.isEmpty { try requireOver(month, .utc) }
    }

    private func isOver(_ month: BillingMonth, _ zone: TimeZoneRules) -> Bool {
        month.period(zone: zone).end <= sources.clock.now()
    }

    private func requireOver(
        _ month: BillingMonth, _ zone: TimeZoneRules
    ) throws(ControlProblem) {
        if isOver(month, zone) { return }
        let end = month.period(zone: zone).end
        throw ControlProblem(
            .conflict, "period_not_over",
            "\(month) goes on until \(end.rfc3339()) in \(zone.name); close it after that",
            field: "month")
    }

    private func close(
        _ customers: [CompiledCustomer], _ month: BillingMonth, _ closer: Closer,
        _ closing: inout HandClosing
    ) throws(ControlProblem) {
        do throws(BillingError) {
            var open: [CompiledCustomer] = []
            let store = sources.store
            for customer in customers {
                // Without a statement too: there was nothing to bill.
                let isOver = zones.zones[customer.zone.name].map { month <= $0.closedThrough }
                let isClosed =
                    isOver == true
                    ? true
                    : try BillingError.store { () throws(BillingStoreError) in
                        try store.statement(customer.id, month) != nil
                    }
                if isClosed { closing.closedBefore += 1 } else { open.append(customer) }
            }
            let written = try close(open, month, by: closer, in: sources.catalog.load())
            closing.closed += written.compactMap(\.self).count
        } catch {
            throw .billing(error)
        }
    }
}

extension ControlProblem {
    static func billing(_ error: BillingError) -> ControlProblem {
        switch error.code {
        case .unavailable, .conflict:
            ControlProblem(
                .unavailable, "unavailable",
                "billing cannot be used now: \(error.message); the same call may work later")
        case .unrateable:
            ControlProblem(
                .unprocessable, "unrateable",
                "\(error.message); correct the contract or the price")
        }
    }

    static func notBilled(_ customer: CustomerID) -> ControlProblem {
        ControlProblem(
            .notFound, "not_found",
            "there is no customer \"\(customer)\" that is billed: it must exist, in production")
    }

}

extension BillingMonth {
    /// As callers write it.
    init(named text: String) throws(ControlProblem) {
        guard let month = BillingMonth(text) else {
            throw ControlProblem(
                .invalid, "invalid_month", "\"\(text)\" is no month; write it as 2026-11",
                field: "month")
        }
        self = month
    }
}

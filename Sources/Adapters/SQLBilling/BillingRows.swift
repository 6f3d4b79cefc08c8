import MeteringModel
import MeteringPorts
import SQLClient

// Between rows and values. Texts that the schema alone does not guarantee are checked on reading.

extension SQLStatement {
    func timestamp(at column: Int32) -> Timestamp { Timestamp(microseconds: integer(at: column)) }

    func period(at column: Int32) -> Period {
        Period(start: timestamp(at: column), end: timestamp(at: column + 1))
    }

    func month(at column: Int32) -> BillingMonth { BillingMonth(count: Int(integer(at: column))) }

    func json(at column: Int32) throws(SQLError) -> JSONValue {
        do throws(JSONSyntaxError) {
            return try JSONParser.parse(bytes(at: column))
        } catch {
            throw .damaged(error.description)
        }
    }

    func currency(at column: Int32) throws(SQLError) -> Currency {
        let text = string(at: column)
        guard let currency = Currency(text) else { throw .damaged("\"\(text)\" is no currency") }
        return currency
    }
}

extension ClosedStatement {
    static let columns = """
        sequence, customer, month, zone, period_start, period_end, closed_at, closed_by, reason, \
        revision, line_count, totals
        """

    init(row: SQLStatement) throws(SQLError) {
        var totals: [MoneyTotal] = []
        for (code, amount) in try row.json(at: 11).object ?? [:] {
            guard let currency = Currency(code), let amount = amount.integer else {
                throw .damaged("the totals of a statement are damaged")
            }
            totals.append(MoneyTotal(currency: currency, amount: amount))
        }
        self.init(
            sequence: row.integer(at: 0), customer: CustomerID(row.string(at: 1)),
            month: row.month(at: 2), zone: row.string(at: 3), period: row.period(at: 4),
            closedAt: row.timestamp(at: 6), closedBy: row.string(at: 7),
            reason: row.optionalString(at: 8), revision: row.integer(at: 9),
            lineCount: Int(row.integer(at: 10)),
            totals: totals.sorted { $0.currency < $1.currency })
    }
}

extension StatementLine {
    static let columnCount: Int32 = 23
    static let columns = columnList(document: "document")

    /// - Parameter document: the expression that the document is read from.
    static func columnList(document: String) -> String {
        """
        id, customer, kind, line_key, feature, meter, item, subscription, period_start, \
        period_end, charged_from, charged_to, quantity, scale, currency, amount, \(document), \
        corrects_month, amount_before, amount_after, quantity_before, quantity_after, causes
        """
    }

    /// `$1, $2, …` for these columns and `more` before them.
    static func parameters(after more: Int32 = 0) -> String {
        (1...(more + columnCount)).map { "$\($0)" }.joined(separator: ", ")
    }

    init(row: SQLStatement) throws(SQLError) {
        guard let kind = Kind(rawValue: row.string(at: 2)) else {
            throw .damaged("a statement line is of no known kind")
        }
        var correction: Correction?
        if kind == .adjustment {
            correction = Correction(
                month: row.month(at: 17), amountBefore: row.integer(at: 18),
                amountAfter: row.integer(at: 19), quantityBefore: row.integer(at: 20),
                quantityAfter: row.integer(at: 21),
                causes: try BillingCause.list(try row.json(at: 22)))
        }
        self.init(
            id: row.string(at: 0), kind: kind, key: row.string(at: 3),
            feature: row.optionalString(at: 4).map { FeatureKey($0) },
            meter: row.optionalString(at: 5).map { MeterKey($0) },
            item: row.optionalString(at: 6), subscription: row.optionalString(at: 7),
            period: row.period(at: 8), from: row.timestamp(at: 10), to: row.timestamp(at: 11),
            quantity: row.integer(at: 12), scale: Int(row.integer(at: 13)),
            currency: try row.currency(at: 14), amount: row.integer(at: 15),
            correction: correction, document: try row.json(at: 16))
    }

    /// - Parameter more: how many parameters stand before these.
    func bind(
        to row: SQLStatement, of customer: CustomerID, after more: Int32 = 0
    ) throws(SQLError) {
        let texts: [String?] = [
            id, customer.rawValue, kind.rawValue, key, feature?.rawValue, meter?.rawValue, item,
            subscription,
        ]
        for (index, text) in texts.enumerated() {
            try row.bind(optional: text, at: more + 1 + Int32(index))
        }
        let numbers = [
            period.start.microseconds, period.end.microseconds, from.microseconds,
            to.microseconds, quantity, Int64(scale),
        ]
        for (index, number) in numbers.enumerated() {
            try row.bind(number, at: more + 9 + Int32(index))
        }
        try row.bind(currency.code, at: more + 15)
        try row.bind(amount, at: more + 16)
        try row.bind(document.canonicalText, at: more + 17)
        let corrected: [Int64?] = [
            correction.map { Int64($0.month.count) }, correction?.amountBefore,
            correction?.amountAfter, correction?.quantityBefore, correction?.quantityAfter,
        ]
        for (index, number) in corrected.enumerated() {
            try row.bind(number, at: more + 18 + Int32(index))
        }
        try row.bind(
            optional: correction.map { BillingCause.document($0.causes).canonicalText },
            at: more + 23)
    }
}

extension BillingCause {
    static func document(_ causes: [BillingCause]) -> JSONValue {
        .array(
            causes.map {
                .array([.string($0.kind.rawValue), .string($0.id), .integer($0.at.microseconds)])
            })
    }

    static func list(_ document: JSONValue) throws(SQLError) -> [BillingCause] {
        var causes: [BillingCause] = []
        for element in document.elements ?? [] {
            guard let parts = element.elements, parts.count == 3,
                let kind = parts[0].text.flatMap(Kind.init(rawValue:)), let id = parts[1].text,
                let at = parts[2].integer
            else { throw .damaged("the causes of an adjustment are damaged") }
            causes.append(BillingCause(kind: kind, id: id, at: Timestamp(microseconds: at)))
        }
        return causes
    }
}

extension StoredMark {
    static let columns = "sequence, customer, month, kind, id, at, due_at"

    init(row: SQLStatement) throws(SQLError) {
        guard let kind = BillingCause.Kind(rawValue: row.string(at: 3)) else {
            throw .damaged("a mark is of no known kind")
        }
        let cause = BillingCause(kind: kind, id: row.string(at: 4), at: row.timestamp(at: 5))
        self.init(
            sequence: row.integer(at: 0),
            mark: BillingMark(
                customer: CustomerID(row.string(at: 1)), month: row.month(at: 2), cause: cause,
                dueAt: row.timestamp(at: 6)))
    }
}

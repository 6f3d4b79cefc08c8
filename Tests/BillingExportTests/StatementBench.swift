import BillingExport
import MeteringModel
import MeteringPorts
import SQLBilling

/// Closed statements with lines that are chosen for what they may do to a file.
struct StatementBench {
    static let month = BillingMonth(count: 2_026 * 12 + 10)
    let bench: ExportBench
    let store: SQLBilling

    init() throws {
        bench = try ExportBench(now: "2026-12-05T08:00:00Z")
        store = try bench.openStore()
    }

    func exporter(_ counters: ExportCounters = ExportCounters()) -> StatementExporter {
        StatementExporter(
            billing: store, exports: store, issuer: "Example Ltd", clock: bench.clock,
            counters: counters, makeDigest: { TestDigest() })
    }

    func query(
        _ format: String, cursor: String? = nil, limit: Int = 1_000
    ) -> StatementExportQuery {
        StatementExportQuery(
            month: "2026-11", format: format, principal: .local, cursor: cursor, limit: limit)
    }

    /// Follows the cursors to the end.
    func file(_ format: String, limit: Int = 1_000) throws -> (bytes: [UInt8], digest: String?) {
        var (bytes, cursor): ([UInt8], String?) = ([], nil)
        while true {
            let page = try exporter().page(query(format, cursor: cursor, limit: limit))
            bytes += page.body
            guard let next = page.next else { return (bytes, page.digest) }
            cursor = next
        }
    }

    func close(_ customer: CustomerID, _ lines: [StatementLine]) throws {
        let period = Period(start: .at("2026-10-31T23:00:00Z"), end: .at("2026-11-30T23:00:00Z"))
        _ = try store.close([
            StatementClosing(
                customer: customer, month: Self.month, zone: "Europe/Berlin", period: period,
                closedAt: bench.now, closedBy: "tollgate", revision: 3, lines: lines)
        ])
    }

    static func usage(_ id: String, feature: String = "tokens", amount: Int64) -> StatementLine {
        let period = Period(start: .at("2026-10-31T23:00:00Z"), end: .at("2026-11-30T23:00:00Z"))
        return StatementLine(
            id: id, kind: .usage, key: "5:usage", feature: FeatureKey(feature), meter: "tokens",
            item: "pro", period: period, from: period.start, to: period.end, quantity: 150,
            scale: 2, currency: eur, amount: amount,
            document: .object([
                "id": .string(id), "source": .string("plan pro v3"),
                "included_quantity": .number("0.5"), "unit_price": .string("0.02"),
                "exact_amount": .string("-24.5/31"),
            ]))
    }

    static var eur: Currency {
        guard let currency = Currency("EUR") else { preconditionFailure("EUR is a currency") }
        return currency
    }

    static func fee(_ id: String, amount: Int64) -> StatementLine {
        var line = usage(id, amount: amount)
        line.kind = .fee
        line.key = "3:fee"
        line.feature = nil
        line.meter = nil
        line.subscription = "sub_1"
        line.quantity = -1
        line.scale = 0
        line.document = .object(["id": .string(id), "source": .string("plan pro v3")])
        return line
    }
}

/// Sums bytes with their places: enough to tell files apart.
struct TestDigest: ByteDigest {
    private var (count, sum): (UInt64, UInt64) = (0, 0)
    mutating func update(_ bytes: [UInt8]) {
        for byte in bytes {
            count += 1
            sum = sum &* 1_099_511_628_211 ^ UInt64(byte)
        }
    }
    var text: String { "test:\(count):\(sum)" }

    static func text(of bytes: [UInt8]) -> String {
        var digest = TestDigest()
        digest.update(bytes)
        return digest.text
    }
}

/// Reads RFC 4180, by a way of its own: a state for each byte.
enum PlainCSV {
    static func read(_ bytes: [UInt8]) -> [[String]] {
        var (rows, row, cell): ([[String]], [String], [UInt8]) = ([], [], [])
        var (isQuoted, wasQuote) = (false, false)
        for byte in bytes {
            if isQuoted, !wasQuote {
                if byte == 0x22 { wasQuote = true } else { cell.append(byte) }
                continue
            }
            if wasQuote, byte == 0x22 {
                cell.append(byte)
                wasQuote = false
                continue
            }
            if wasQuote { (isQuoted, wasQuote) = (false, false) }
            switch byte {
            case 0x22: isQuoted = true
            case 0x2C:
                row.append(String(decoding: cell, as: UTF8.self))
                cell = []
            case 0x0D: break
            case 0x0A:
                row.append(String(decoding: cell, as: UTF8.self))
                rows.append(row)
                (row, cell) = ([], [])
            default: cell.append(byte)
            }
        }
        return rows
    }
}

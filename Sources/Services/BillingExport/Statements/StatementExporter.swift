import MeteringModel
package import MeteringPorts

/// A digest of bytes that come in pieces.
package protocol ByteDigest {
    mutating func update(_ bytes: [UInt8])
    /// E.g. `sha256:…`; of what came so far.
    var text: String { get }
}

/// Hands out statement lines by pages, and notes every file that was handed out whole.
package struct StatementExporter: Sendable {
    private let billing: any BillingStore
    private let exports: any ExportStore
    private let issuer: String
    private let clock: WallClock
    private let counters: ExportCounters
    private let makeDigest: @Sendable () -> any ByteDigest

    static let pageLines = 1...10_000

    package init(
        billing: any BillingStore, exports: any ExportStore, issuer: String, clock: WallClock,
        counters: ExportCounters, makeDigest: @escaping @Sendable () -> any ByteDigest
    ) {
        self.billing = billing
        self.exports = exports
        self.issuer = issuer
        self.clock = clock
        self.counters = counters
        self.makeDigest = makeDigest
    }

    package func page(
        _ query: StatementExportQuery
    ) throws(ControlProblem) -> StatementExportPage {
        let (month, format) = try Self.read(query)
        let start = try Self.place(query.cursor)
        let walk = StatementWalk(store: billing, month: month, customer: query.customer)
        let writer = StatementWriter(format: format, issuer: issuer)
        var page = StatementExportPage(
            body: start == nil ? writer.head() : [], contentType: format.contentType,
            fileName: format.fileName(month), next: nil, digest: nil)
        do throws(BillingStoreError) {
            let (rows, next) = try walk.rows(from: start, limit: query.limit)
            for row in rows { writer.write(row, to: &page.body) }
            page.next = next.map { CursorText.encode($0.text) }
            counters.fileLines.add(Int64(rows.count))
            if next == nil {
                page.digest = try note(query, month, writer, walk)
            }
        } catch {
            throw ControlProblem(error)
        }
        return page
    }

    /// Goes through all of it once more: pages may have been handed out by other processes, and
    /// closed statements never change. A few pages are in memory at a time, never all.
    private func note(
        _ query: StatementExportQuery, _ month: BillingMonth, _ writer: StatementWriter,
        _ walk: StatementWalk
    ) throws(BillingStoreError) -> String {
        var digest = makeDigest()
        digest.update(writer.head())
        var (count, first, last): (Int, String?, String?) = (0, nil, nil)
        var place: StatementWalk.Place?
        repeat {
            let (rows, next) = try walk.rows(from: place, limit: 1_000)
            var bytes: [UInt8] = []
            for row in rows { writer.write(row, to: &bytes) }
            digest.update(bytes)
            count += rows.count
            first = first ?? rows.first?.line.id
            last = rows.last?.line.id ?? last
            place = next
        } while place != nil
        try exports.note(
            StatementExportNote(
                format: writer.format.rawValue, month: month, customer: query.customer,
                digest: digest.text, lineCount: count, firstLine: first, lastLine: last,
                by: query.principal.id, at: clock.now()))
        return digest.text
    }

    private static func read(
        _ query: StatementExportQuery
    ) throws(ControlProblem) -> (BillingMonth, StatementFormat) {
        guard let month = BillingMonth(query.month) else {
            throw ControlProblem(
                .invalid, "invalid_month", "month must be a month such as 2026-11",
                field: "month")
        }
        guard let format = StatementFormat(rawValue: query.format) else {
            let names = StatementFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw ControlProblem(
                .invalid, "invalid_format", "format must be one of \(names)", field: "format")
        }
        guard pageLines.contains(query.limit) else {
            throw ControlProblem(
                .invalid, "invalid_limit", "limit must be 1 to \(pageLines.upperBound)",
                field: "limit")
        }
        // Which customers a bound key may see is checked one by one, by whoever names one.
        if query.principal.customer != nil, query.customer == nil {
            throw ControlProblem(
                .forbidden, "customer_required",
                "this key is bound to a customer: name one of its tree with customer=",
                field: "customer")
        }
        return (month, format)
    }

    private static func place(
        _ cursor: String?
    ) throws(ControlProblem) -> StatementWalk.Place? {
        guard let cursor else { return nil }
        guard let place = CursorText.decode(cursor).flatMap(StatementWalk.Place.init) else {
            throw ControlProblem(
                .invalid, "invalid_cursor", "cursor must be that of a page before",
                field: "cursor")
        }
        return place
    }
}

import BillingExport
import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

@Suite("Statement exports") struct StatementExportTests {
    @Test("CSV is what was written down, line by line") func csvGolden() throws {
        let bench = try StatementBench()
        defer { bench.store.close() }
        try bench.close("acme", [StatementBench.usage("li_1", amount: 3)])
        let text = String(decoding: try bench.file("csv").bytes, as: UTF8.self)
        let expected =
            "month,customer,line_id,kind,feature,meter,item,subscription,source,period_start,"
            + "period_end,from,to,quantity,included_quantity,unit_price,exact_amount,amount,"
            + "currency,corrects_month,amount_before,amount_after,causes,statement,closed_at\r\n"
            + "2026-11,acme,li_1,usage,tokens,tokens,pro,,plan pro v3,2026-10-31T23:00:00Z,"
            + "2026-11-30T23:00:00Z,2026-10-31T23:00:00Z,2026-11-30T23:00:00Z,1.50,0.5,0.02,"
            + "'-24.5/31,0.03,EUR,,,,,1,2026-12-05T08:00:00Z\r\n"
        #expect(text == expected)
    }

    @Test(
        "no text becomes a formula, and every text comes back",
        arguments: [
            "=1+1", "+a", "-a", "@a", "\ta", "\ra", "\na", "a,b", "a\"b", "\"", "a\r\nb", " a", "",
            "ä=1", "'=1", "-", "=\"x\",y",
        ])
    func guarded(_ text: String) throws {
        let bench = try StatementBench()
        defer { bench.store.close() }
        var line = StatementBench.usage("li_1", feature: text, amount: -5)
        line.item = "plain"
        try bench.close("acme", [line])
        for (format, column) in [("csv", "feature"), ("focus", "SkuId")] {
            let rows = PlainCSV.read(try bench.file(format).bytes)
            #expect(rows.count == 2)
            #expect(Set(rows.map(\.count)).count == 1)
            let place = try #require(rows[0].firstIndex(of: column))
            let isFormula = text.utf8.first.map { "=+-@\t\r\n".utf8.contains($0) } ?? false
            // The independent reader drops carriage returns outside of quotes only.
            let expected = column == "SkuId" ? "plan pro v3/" + text : (isFormula ? "'" : "") + text
            #expect(Array(rows[1][place].utf8) == Array(expected.utf8))
            for cell in rows[1] where !cell.isEmpty {
                let isNumber = cell.utf8.allSatisfy { "-.0123456789".utf8.contains($0) }
                #expect(isNumber || !"=+-@\t\r\n".utf8.contains(cell.utf8.first ?? 0))
            }
        }
    }

    @Test("FOCUS has every mandatory column, and says what a correction is") func focus() throws {
        let bench = try StatementBench()
        defer { bench.store.close() }
        var adjustment = StatementBench.usage("li_2", amount: -200)
        adjustment.kind = .adjustment
        adjustment.correction = StatementLine.Correction(
            month: BillingMonth(count: StatementBench.month.count - 1), amountBefore: 500,
            amountAfter: 300, quantityBefore: 10, quantityAfter: 6,
            causes: [BillingCause(kind: .correction, id: "c_1", at: bench.bench.now)])
        adjustment.document = .object([
            "charge": .object(["kind": .string("usage"), "source": .string("plan pro v2")])
        ])
        try bench.close(
            "acme",
            [
                StatementBench.usage("li_1", amount: 3), adjustment,
                StatementBench.fee("li_3", amount: -4_900),
            ])
        let rows = PlainCSV.read(try bench.file("focus").bytes)
        let mandatory = [
            "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
            "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass",
            "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
            "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
            "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
        ]
        #expect(mandatory.count == 21)
        let own = rows[0].filter { $0.hasPrefix("x_") }
        let theirs = rows[0].filter { !$0.hasPrefix("x_") }
        #expect(Set(mandatory).isSubset(of: theirs))
        #expect(theirs == theirs.sorted())
        #expect(rows[0] == theirs + own)
        func cells(_ name: String) throws -> [String] {
            let place = try #require(rows[0].firstIndex(of: name))
            return rows.dropFirst().map { $0[place] }
        }
        #expect(try cells("BilledCost") == ["0.03", "-2.00", "-49.00"])
        #expect(try cells("ChargeCategory") == ["Usage", "Usage", "Purchase"])
        #expect(try cells("ChargeClass") == ["", "Correction", ""])
        #expect(try cells("ConsumedQuantity") == ["2.00", "", ""])
        #expect(try cells("PricingQuantity") == ["1.50", "1.50", "-1"])
        #expect(try cells("ProviderName") == Array(repeating: "Example Ltd", count: 3))
        #expect(try cells("x_CorrectsMonth") == ["", "2026-10", ""])
        #expect(try cells("x_Causes") == ["", "correction c_1", ""])
        #expect(
            try cells("Tags").first
                == "{\"feature\":\"tokens\",\"item\":\"pro\",\"meter\":\"tokens\"}")
        for name in mandatory where name != "ChargeClass" {
            #expect(try cells(name).allSatisfy { !$0.isEmpty }, "\(name)")
        }
    }

    @Test(
        "pages of any size make the same file, noted with the same digest",
        arguments: [1, 3, 7, 1_000])
    func pages(size: Int) throws {
        let bench = try StatementBench()
        defer { bench.store.close() }
        var id = 0
        for customer in ["a:b", "acme", "umbra", "zeta"] {
            let lines = (0..<(id == 0 ? 0 : 5)).map { _ in
                id += 1
                return StatementBench.usage("li_\(id)", amount: Int64(id))
            }
            if id == 0 { id = 1 }
            try bench.close(CustomerID(customer), lines)
        }
        for format in ["csv", "ndjson", "focus"] {
            let whole = try bench.file(format)
            let parts = try bench.file(format, limit: size)
            #expect(parts.bytes == whole.bytes)
            #expect(parts.digest == whole.digest)
            #expect(whole.digest == TestDigest.text(of: whole.bytes))
        }
        let notes = try bench.store.exportNotes(month: StatementBench.month, after: 0, limit: 100)
        #expect(notes.count == 6)
        #expect(notes.allSatisfy { $0.note.lineCount == 15 && $0.note.firstLine == "li_2" })
        #expect(Set(notes.map(\.note.digest)).count == 3)
    }

    @Test("NDJSON holds the line's document, one a line") func ndjson() throws {
        let bench = try StatementBench()
        defer { bench.store.close() }
        try bench.close("acme", [StatementBench.usage("li_1", feature: "=a\n", amount: 3)])
        let text = String(decoding: try bench.file("ndjson").bytes, as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 1)
        let document = try JSONParser.parse(Array(lines[0].utf8))
        #expect(document["line"]?["id"] == .string("li_1"))
        #expect(document["customer"] == .string("acme"))
        #expect(document["month"] == .string("2026-11"))
    }

    @Test("what cannot be asked is said") func problems() throws {
        let bench = try StatementBench()
        defer { bench.store.close() }
        func code(_ change: (inout StatementExportQuery) -> Void) -> String? {
            var query = bench.query("csv")
            change(&query)
            do throws(ControlProblem) {
                _ = try bench.exporter().page(query)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code { $0.month = "2026-13" } == "invalid_month")
        #expect(code { $0.format = "xml" } == "invalid_format")
        #expect(code { $0.cursor = "zz" } == "invalid_cursor")
        #expect(code { $0.limit = 0 } == "invalid_limit")
        #expect(
            code { $0.principal = Principal(id: "k", scopes: [], customer: "acme") }
                == "customer_required")
        #expect(code { $0.customer = "nobody" } == nil)
    }
}

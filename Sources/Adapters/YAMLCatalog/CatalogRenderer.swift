import Entitlements
package import MeteringModel

extension YAMLCatalog {
    /// The document that reads as `catalog`: one item a line, members left out where they have
    /// their usual value. Earlier versions of plans are not part of a document.
    package static func render(_ catalog: Catalog) -> String {
        CatalogRenderer(document: RecordCodec.encode(catalog)).text
    }
}

/// Writes the catalog's sections; what an item looks like is the codec's.
struct CatalogRenderer {
    private let document: JSONValue

    init(document: JSONValue) { self.document = document }

    var text: String {
        var lines: [String] = []
        section("products", isOptional: true, into: &lines)
        section("meters", into: &lines)
        section("features", into: &lines)
        section("plans", into: &lines) { sold($0, into: &$1) }
        section("add_ons", isOptional: true, into: &lines) { sold($0, into: &$1) }
        stripe(into: &lines)
        section("customers", into: &lines)
        return lines.joined(separator: "\n") + "\n"
    }

    private func section(
        _ name: String, isOptional: Bool = false, into lines: inout [String],
        item: (JSONValue, inout [String]) -> Void = { $1.append("  - \(YAMLText.flow($0))") }
    ) {
        let items = document[name]?.elements ?? []
        if items.isEmpty, isOptional { return }
        lines.append(items.isEmpty ? "\(name): []" : "\(name):")
        for value in items { item(value, &lines) }
    }

    /// A plan or an add-on: an entitlement a line.
    private func sold(_ item: JSONValue, into lines: inout [String]) {
        lines.append("  - key: \(YAMLText.flow(item["key"] ?? .null))")
        if let name = item["name"] { lines.append("    name: \(YAMLText.flow(name))") }
        if let product = item["product"], product != .string(ProductKey.default.rawValue) {
            lines.append("    product: \(YAMLText.flow(product))")
        }
        for name in ["currency", "fee"] {
            if let value = item[name] { lines.append("    \(name): \(YAMLText.flow(value))") }
        }
        let entitlements = item["entitlements"]?.object ?? [:]
        if entitlements.isEmpty {
            lines.append("    entitlements: {}")
            return
        }
        lines.append("    entitlements:")
        for (feature, value) in entitlements.sorted(by: { $0.key < $1.key }) {
            lines.append("      \(YAMLText.quoted(feature)): \(YAMLText.flow(value))")
        }
    }

    private func stripe(into lines: inout [String]) {
        guard let stripe = document["stripe"]?.object else { return }
        lines.append("stripe:")
        let prices = stripe["prices"]?.object ?? [:]
        lines.append(prices.isEmpty ? "  prices: {}" : "  prices:")
        for (price, target) in prices.sorted(by: { $0.key < $1.key }) {
            lines.append("    \(YAMLText.quoted(price)): \(YAMLText.flow(target))")
        }
        for (name, value) in stripe.sorted(by: { $0.key < $1.key }) where name != "prices" {
            lines.append("  \(name): \(YAMLText.flow(value))")
        }
    }
}

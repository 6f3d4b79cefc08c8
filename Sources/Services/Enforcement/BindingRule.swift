import MeteringModel

/// Whether a question comes from where an entitlement holds.
enum BindingRule {
    /// Nil when it does; otherwise what the question must say for it.
    static func refusal(_ binding: Binding, domain: String?, region: String?) -> String? {
        if !binding.domains.isEmpty {
            let list = binding.domains.joined(separator: ", ")
            guard let domain else { return "bound to domains \(list): pass context.domain" }
            guard binding.domains.contains(where: { takes($0, domain) }) else {
                return "bound to domains \(list): context.domain is none of them"
            }
        }
        if !binding.regions.isEmpty {
            let list = binding.regions.joined(separator: ", ")
            guard let region else { return "bound to regions \(list): pass context.region" }
            guard binding.regions.contains(where: { isSame($0, region) }) else {
                return "bound to regions \(list): context.region is none of them"
            }
        }
        return nil
    }

    /// `*.example.com` takes every host below `example.com`, and not `example.com` itself.
    private static func takes(_ pattern: String, _ domain: String) -> Bool {
        let host = domain.hasSuffix(".") ? domain.dropLast() : domain[...]
        guard pattern.hasPrefix("*.") else { return isSame(pattern, host) }
        let suffix = pattern.dropFirst()
        return host.utf8.count > suffix.utf8.count
            && isSame(suffix, host.suffix(suffix.count))
    }

    private static func isSame(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
        left.lowercased() == right.lowercased()
    }
}

/// The one way a set of dimension values is written.
public enum CanonicalJSON {
    public static func object(_ members: [(name: String, value: String)]) -> String {
        var text = "{"
        for (index, member) in members.enumerated() {
            if index > 0 { text += "," }
            appendString(member.name, to: &text)
            text += ":"
            appendString(member.value, to: &text)
        }
        return text + "}"
    }

    public static func string(_ value: String) -> String {
        var text = ""
        appendString(value, to: &text)
        return text
    }

    private static func appendString(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

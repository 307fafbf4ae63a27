/// The name among `known` that `name` was probably meant to be: at most a third of its characters are wrong.
func nearest(to name: String, among known: [String]) -> String? {
    let limit = max(1, min(name.utf8.count, 64) / 3)
    guard name.utf8.count <= 64 else { return nil }
    let wanted = Array(name.lowercased().utf8)
    return
        known
        .map { (name: $0, distance: editDistance(wanted, Array($0.lowercased().utf8))) }
        .filter { $0.distance <= limit }
        .min { $0.distance < $1.distance }?
        .name
}

/// Insertions, removals and replacements that make one of the other (Levenshtein).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (line, leftByte) in left.enumerated() {
        var diagonal = row[0]
        row[0] = line + 1
        for (column, rightByte) in right.enumerated() {
            let replaced = diagonal + (leftByte == rightByte ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
        }
    }
    return row[right.count]
}

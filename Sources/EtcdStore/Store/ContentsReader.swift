import IssuerStore

/// Makes contents of everything that lies in etcd.
struct ContentsReader {
    let layout: StoreLayout
    private(set) var snapshot = StoreSnapshot()

    init(layout: StoreLayout, values: [EtcdKeyValue]) {
        self.layout = layout
        snapshot.add(values)
    }

    /// - Throws: `StoreError` with `.corrupt` for what no release writes, also where it is about one issuer.
    func contents() throws(StoreError) -> StoreContents {
        var update = ViewUpdate(
            revision: 0, cluster: 0, sentAt: 0, meta: snapshot.values[layout.meta], head: snapshot.values[layout.head],
            token: snapshot.values[layout.token])
        for group in layout.groups { update.changed[group] = snapshot.under(group) }
        let view = try StoredView(update, layout: layout)
        if let (_, why) = view.unreadable.min(by: { $0.key < $1.key }) { throw why }
        return view.contents
    }
}

// Several tests start processes: one at a time on a small machine.
[assembly: CollectionBehavior(CollectionBehavior.CollectionPerAssembly)]

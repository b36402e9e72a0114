"""Common given and family names of Flanders, Brussels and the Netherlands, whatever road they came by.

Every combination is put together by chance; addresses and numbers that go with them cannot exist.
"""

from __future__ import annotations

from dataclasses import dataclass

Generations = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Origin:
    """A family's roots: its weight in the town, the languages at home, given names (older, middle, younger)."""

    weight: float
    languages: tuple[tuple[str, float], ...]
    women: Generations
    men: Generations
    families: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _one_list(text: str) -> Generations:
    words = _words(text)
    return (words, words, words)


FLEMISH = Origin(
    weight=71,
    languages=(("nl", 0.99), ("en", 0.01)),
    women=(
        _words(
            "Maria, Rita, Monique, Christiane, Lieve, Godelieve, Hilde, Martine, Annie, Linda, Marleen, Greet, Nicole, "
            "Jeannine, Agnes, Magda, Ingrid, Carine, Kristien, Veerle, Rosette, Lutgarde, Marie-Louise, Simonne"
        ),
        _words(
            "Ann, Els, Sofie, Katrien, Inge, Griet, Nathalie, Isabel, Tine, Wendy, Sara, Evelien, Leen, An, Heidi, "
            "Kim, Karen, Annelies, Liesbeth, Joke, Stefanie, Barbara, Kathleen, Ilse, Saskia, Valerie"
        ),
        _words(
            "Emma, Louise, Lotte, Julie, Laura, Marie, Charlotte, Elise, Hanne, Amber, Femke, Jana, Noor, Fien, Ella, "
            "Lien, Silke, Paulien, Lore, Nina, Margot, Jolien, Zoë, Helena"
        ),
    ),
    men=(
        _words(
            "Jan, Luc, Marc, Paul, Eddy, Guido, Walter, Willy, Roger, Etienne, Johan, Jozef, Frans, Herman, Rudi, "
            "Freddy, Dirk, Hugo, Ludo, Patrick, Gilbert, André, Jacques, Lieven"
        ),
        _words(
            "Peter, Bart, Tom, Kris, Koen, Wim, Geert, Steven, Filip, Stefaan, Bruno, Sven, Pieter, Tim, Kurt, Jeroen, "
            "David, Davy, Joris, Gert, Hans, Dieter, Bert, Frederik"
        ),
        _words(
            "Thomas, Arne, Jonas, Simon, Robbe, Lucas, Ruben, Wout, Milan, Louis, Senne, Brecht, Niels, Jasper, "
            "Matthias, Lars, Seppe, Victor, Noah, Jef, Stan, Emiel, Korneel, Mathis"
        ),
    ),
    families=_words(
        "Peeters, Janssens, Maes, Jacobs, Mertens, Willems, Claes, Goossens, Wouters, De Smet, Vermeulen, De Clercq, "
        "Van den Berghe, Aerts, Hermans, Pauwels, De Vos, Michiels, Desmet, Martens, Van Damme, Cools, De Backer, "
        "Lambrecht, Segers, Smets, Verhoeven, Bogaert, Van Hecke, De Wilde, Declercq, Verstraete, Coppens, Baert, "
        "Vandenbroucke, Moens, De Pauw, Stevens, Wauters, Thys, Verbeke, De Meyer, Hendrickx, Lemmens, D'Hondt, "
        "Van de Velde, De Cock, Vercauteren, Lauwers, Van Acker, Dhondt, De Bruyne, Van Hoecke, Roels, Vandamme, "
        "Buyse, De Muynck, Haegeman, Van Overbeke, Goethals, Temmerman, Steyaert, Vanhoutte, De Graeve, Van Laere, "
        "De Ridder, Cornelis, Bauwens, Van Loo, De Keyser, Neyt, Verhaeghe, Dewulf, Ghysels, Boone, Callens, Raes"
    ),
)
FRENCH_SPEAKING = Origin(
    weight=7,
    languages=(("fr", 0.82), ("nl", 0.15), ("en", 0.03)),
    women=_one_list(
        "Isabelle, Nathalie, Camille, Chloé, Céline, Anne, Brigitte, Françoise, Léa, Manon, Hélène, Sophie, Aurélie, "
        "Dominique, Élodie, Pascale"
    ),
    men=_one_list(
        "Philippe, Olivier, Antoine, Benoît, Julien, Michel, Jean-Luc, François, Nicolas, Hugo, Maxime, Thierry, "
        "Bernard, Cédric, Guillaume, Jérôme"
    ),
    families=_words(
        "Lambert, Dupont, Martin, Simon, Leroy, Laurent, Dumont, Lejeune, Renard, Denis, Gérard, Lemaire, Dubois, "
        "Leclercq, Mathieu, Noël, Poncelet, Charlier, Delvaux, Thiry"
    ),
)
DUTCH = Origin(
    weight=6,
    languages=(("nl", 1.0),),
    women=_one_list(
        "Sanne, Fleur, Anouk, Maaike, Marijke, Ineke, Wietske, Marloes, Femke, Annemarie, Willemijn, Tess, Iris, "
        "Janneke, Hanneke, Roos"
    ),
    men=_one_list(
        "Daan, Bram, Sjoerd, Joost, Ruud, Gerrit, Thijs, Maarten, Kees, Wouter, Jelle, Sander, Hendrik, Rik, Martijn, "
        "Floris"
    ),
    families=_words(
        "de Vries, van Dijk, Bakker, Visser, Smit, de Boer, Mulder, Bos, Vos, Hoekstra, van der Meer, Kuipers, "
        "van Leeuwen, Postma, Dekker, Dijkstra, van den Broek, Schouten, Verburg, Brouwer"
    ),
)
TURKISH = Origin(
    weight=5,
    languages=(("nl", 0.93), ("en", 0.04), ("tr", 0.03)),
    women=_one_list("Elif, Zeynep, Ayşe, Fatma, Emine, Selin, Merve, Esra, Derya, Melike, Gülşen, Büşra"),
    men=_one_list("Mehmet, Emre, Mustafa, Yusuf, Kerem, Hakan, Murat, Ali, Burak, Cem, Ömer, Volkan"),
    families=_words("Yılmaz, Kaya, Demir, Şahin, Çelik, Öztürk, Aydın, Yıldız, Arslan, Doğan, Koç, Polat"),
)
MOROCCAN = Origin(
    weight=4,
    languages=(("nl", 0.84), ("fr", 0.16)),
    women=_one_list("Fatima, Yasmina, Samira, Nora, Khadija, Hafsa, Salma, Imane, Loubna, Naïma, Amina, Souad"),
    men=_one_list("Mohamed, Youssef, Karim, Rachid, Bilal, Anass, Hamza, Said, Nabil, Ilias, Omar, Zakaria"),
    families=_words(
        "El Amrani, Benali, El Idrissi, Bouzid, Haddad, Chakir, Ouali, Amrani, Belhaj, El Khattabi, Azzouzi, Tahiri"
    ),
)
POLISH = Origin(
    weight=1.6,
    languages=(("nl", 0.6), ("en", 0.3), ("pl", 0.1)),
    women=_one_list("Agnieszka, Katarzyna, Małgorzata, Anna, Joanna, Magdalena, Zofia, Ewa"),
    men=_one_list("Piotr, Tomasz, Paweł, Krzysztof, Marcin, Michał, Jakub, Andrzej"),
    families=_words("Kowalczyk, Nowak, Wiśniewska, Wójcik, Kamińska, Zieliński, Szymańska, Woźniak, Dąbrowska"),
)
CONGOLESE = Origin(
    weight=1.6,
    languages=(("fr", 0.55), ("nl", 0.4), ("en", 0.05)),
    women=_one_list("Grace, Christelle, Mireille, Clarisse, Nadège, Merveille, Bénédicte, Divine"),
    men=_one_list("Patrick, Trésor, Cédrick, Dieudonné, Christian, Fiston, Jonathan, Gloire"),
    families=_words("Mukendi, Kabongo, Ilunga, Mbuyi, Tshibangu, Kalala, Ngoy, Lukusa, Mutombo, Kasongo"),
)
ITALIAN = Origin(
    weight=1.2,
    languages=(("nl", 0.75), ("en", 0.15), ("it", 0.1)),
    women=_one_list("Giulia, Sofia, Chiara, Martina, Rosa, Carmela, Francesca, Elena"),
    men=_one_list("Marco, Luca, Giuseppe, Salvatore, Antonio, Matteo, Davide, Angelo"),
    families=_words("Rossi, Ferrari, Esposito, Bianchi, Romano, Ricci, Greco, Conti, Marino"),
)
BULGARIAN = Origin(
    weight=1.0,
    languages=(("nl", 0.6), ("en", 0.3), ("bg", 0.1)),
    women=_one_list("Mariya, Elena, Desislava, Gergana, Radka, Yoana"),
    men=_one_list("Georgi, Ivan, Dimitar, Nikolay, Stoyan, Plamen"),
    families=_words("Ivanov, Georgiev, Dimitrov, Petrov, Todorov, Stoyanov, Marinov"),
)
INTERNATIONAL = Origin(
    weight=1.6,
    languages=(("en", 0.85), ("nl", 0.15)),
    women=_one_list("Sarah, Emily, Claire, Rachel, Priya, Mei, Ingrid, Ana, Olena, Hannah"),
    men=_one_list("James, Oliver, Daniel, Arjun, Wei, Erik, Miguel, Andriy, Samuel, Tadeo"),
    families=_words("Smith, Walsh, Sharma, Chen, Andersen, García, Kovalenko, Müller, Okafor, Silva, Tanaka, Novák"),
)

ORIGINS = (
    FLEMISH,
    FRENCH_SPEAKING,
    DUTCH,
    TURKISH,
    MOROCCAN,
    POLISH,
    CONGOLESE,
    ITALIAN,
    BULGARIAN,
    INTERNATIONAL,
)

"""Study `interpolation`: when does fitting noise exactly do no harm?"""
